//! Names of partitions.

/// The device name of the first partition of `disk`.
///
/// Disks named `/dev/nvmeXnY` or `/dev/mmcblkN` (the whole name, X, Y and N being numbers) put a `p` before the number of
/// a partition; everything else, links such as `/dev/disk/by-id/…` included, does not.
#[must_use]
pub fn first_partition(disk: &str) -> String {
    let infix = if is_nvme(disk) || is_mmc(disk) { "p" } else { "" };
    format!("{disk}{infix}1")
}

fn is_nvme(disk: &str) -> bool {
    disk.strip_prefix("/dev/nvme")
        .and_then(|rest| rest.split_once('n'))
        .is_some_and(|(controller, namespace)| is_number(controller) && is_number(namespace))
}

fn is_mmc(disk: &str) -> bool {
    disk.strip_prefix("/dev/mmcblk").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::first_partition;

    #[test]
    fn only_whole_names_of_nvme_and_mmc_disks_get_a_p() {
        for (disk, partition) in [
            ("/dev/sda", "/dev/sda1"),
            ("/dev/nvme0n1", "/dev/nvme0n1p1"),
            ("/dev/nvme10n22", "/dev/nvme10n22p1"),
            ("/dev/mmcblk0", "/dev/mmcblk0p1"),
            ("/dev/nvme0", "/dev/nvme01"),
            ("/dev/nvmen1", "/dev/nvmen11"),
            ("/dev/nvme0n", "/dev/nvme0n1"),
            ("/dev/nvme0n1p2", "/dev/nvme0n1p21"),
            ("/dev/nvme٣n1", "/dev/nvme٣n11"),
            ("/dev/mmcblk0boot0", "/dev/mmcblk0boot01"),
            ("/dev/mmcblk", "/dev/mmcblk1"),
            (" /dev/nvme0n1", " /dev/nvme0n11"),
            ("/dev/disk/by-id/nvme-x", "/dev/disk/by-id/nvme-x1"),
        ] {
            assert_eq!(first_partition(disk), partition);
        }
    }
}
