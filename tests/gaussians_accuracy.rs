//! Sums of Gaussians agree with the definition within the written bound, for all layouts and options.

#[path = "common/gaussian_cases.rs"]
mod cases;
#[path = "common/random_numbers.rs"]
mod random;

use cases::Case;
use random::Random;
use voxlane::Isa;

/// Enough to meet every pair of options on every tier many times.
const CASES: u64 = 6000;

#[test]
fn random_cases_agree_with_the_definition() {
    all_agree(CASES, Case::random);
}

#[test]
fn many_narrow_gaussians_agree_with_the_definition() {
    all_agree(CASES / 6, Case::random_narrow);
}

fn all_agree(cases: u64, random_case: fn(&mut Random) -> Case) {
    let worst = std::sync::Mutex::new([(0usize, 0.0f64); 4]);
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(2, |n| n.get()) as u64;
        for worker in 0..workers {
            let worst = &worst;
            scope.spawn(move || {
                for seed in (0..cases).filter(|seed| seed % workers == worker) {
                    let case = random_case(&mut Random(seed));
                    let values = case.run().unwrap_or_else(|error| panic!("case {seed}: {error}\n{case:?}"));
                    let expected = case.definition.sum(&case.gaussians);
                    match case.check(&values, &expected) {
                        Ok(error) => {
                            let mut worst = worst.lock().unwrap();
                            let entry = &mut worst[case.isa as usize];
                            *entry = (entry.0 + 1, entry.1.max(error));
                        }
                        Err(text) => panic!("case {seed}: {text}\n{case:?}"),
                    }
                }
            });
        }
    });
    for isa in Isa::ALL {
        let (count, error) = worst.lock().unwrap()[isa as usize];
        println!("{}: {count} cases, at most {error:.2} of the bound", isa.name());
        assert!(!isa.is_supported() || count > 0);
    }
}
