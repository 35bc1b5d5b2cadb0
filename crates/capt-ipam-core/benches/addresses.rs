//! What an address costs: read from an IPAddress, looked up and changed among those of 10,000 Hardware.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use capt_ipam_core::{AddressIndex, Reservation, Role};
use criterion::{Criterion, criterion_group, criterion_main};

const HARDWARE: u32 = 10_000;

fn address(hardware: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + hardware).into()
}

fn index() -> AddressIndex<u32> {
    let gateway = Ipv4Addr::new(10, 255, 255, 254).into();
    let mut index = AddressIndex::new();
    for hardware in 0..HARDWARE {
        index.replace(&hardware, [], [(Role::HardwareAddress, address(hardware)), (Role::Gateway, gateway)]);
    }
    index
}

fn addresses(c: &mut Criterion) {
    c.bench_function("ipam-core: read an IPv4 reservation", |b| {
        b.iter(|| Reservation::parse(black_box("10.0.0.5"), black_box(24), black_box(Some("10.0.0.1"))).unwrap());
    });
    c.bench_function("ipam-core: read an IPv6 reservation", |b| {
        b.iter(|| Reservation::parse(black_box("fd00::5"), black_box(64), black_box(Some("fd00::1"))).unwrap());
    });
    let mut index = index();
    c.bench_function("ipam-core: who uses an address, among 10,000 Hardware", |b| {
        b.iter(|| index.conflicts(black_box(address(4_321)), &0).count());
    });
    let mut turn = 0;
    c.bench_function("ipam-core: a Hardware changes its address and back, among 10,000", |b| {
        b.iter(|| {
            turn = (turn + 1) % HARDWARE;
            let [old, new] = [address(turn), address(HARDWARE + turn)].map(|address| (Role::HardwareAddress, address));
            index.replace(&turn, [old], [new]);
            index.replace(&turn, [new], [old]);
        });
    });
}

criterion_group!(benches, addresses);
criterion_main!(benches);
