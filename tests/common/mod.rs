//! What the integration tests share: random numbers, and the tiers that are tested.
#![allow(dead_code)]

mod random_numbers;

pub use random_numbers::Random;

/// Prints, once a test binary, the tiers its tests ran on.
pub fn tiers() -> Vec<voxlane::Isa> {
    let tiers: Vec<_> =
        voxlane::Isa::supported().filter(|isa| *isa <= voxlane::Isa::active().unwrap()).collect();
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let names: Vec<_> = tiers.iter().map(|isa| isa.name()).collect();
        let missing: Vec<_> =
            voxlane::Isa::ALL.iter().filter(|isa| !tiers.contains(isa)).map(|isa| isa.name()).collect();
        println!("tiers tested: {}", names.join(", "));
        if !missing.is_empty() {
            println!("tiers SKIPPED, not supported here or lowered by VOXLANE_ISA: {}", missing.join(", "));
        }
    });
    tiers
}
