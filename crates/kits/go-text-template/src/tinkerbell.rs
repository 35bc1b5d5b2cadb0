//! The functions Tinkerbell adds to its workflow templates. `fromYaml` is left to the caller, who has a YAML reader.

use std::net::Ipv4Addr;

use crate::functions::{CallError, Functions, text, wrong_type};
use crate::value::Value;
use crate::yaml;

/// Names whose partitions are numbered with a `p` before the number.
const WITH_P: [&str; 3] = ["/dev/nvme", "/dev/mmcblk", "/dev/loop"];

/// Adds `formatPartition`, `netmaskToPrefixLength` and `toYaml`.
pub fn register(functions: &mut Functions) {
    functions.register("formatPartition", |call| match call.exactly()? {
        [device, Value::Int(number)] => {
            let device = text(device)?;
            let p = if WITH_P.iter().any(|prefix| device.starts_with(prefix)) { "p" } else { "" };
            let mut out = call.buffer();
            out.push_str(device)?;
            out.push_str(&format!("{p}{number}"))?;
            Ok(out.into_string().into())
        }
        [_, other] => Err(wrong_type("int", other)),
    });
    functions.register("netmaskToPrefixLength", |call| {
        let [mask] = call.exactly()?;
        prefix_length(text(mask)?).map(|length| length.to_string().into())
    });
    functions.register("toYaml", |call| {
        let [value] = call.exactly()?;
        let mut out = call.buffer();
        yaml::block(&mut out, value)?;
        Ok(out.into_string().into())
    });
}

fn prefix_length(mask: &str) -> Result<u32, CallError> {
    let invalid = || CallError::Failed(format!("{mask:?} is no IPv4 netmask"));
    let bits = u32::from(mask.parse::<Ipv4Addr>().map_err(|_| invalid())?);
    if bits.leading_ones() + bits.trailing_zeros() >= 32 { Ok(bits.leading_ones()) } else { Err(invalid()) }
}
