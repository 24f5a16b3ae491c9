//! Sums of Gaussians agree with the definition within the written bound, for all layouts and options.

#[path = "common/gaussian_cases.rs"]
mod cases;
#[path = "common/random_numbers.rs"]
mod random;

use std::collections::BTreeMap;
use std::sync::Mutex;

use cases::Case;
use random::Random;
use voxlane::Isa;

/// Each runs on every tier.
const CASES: u64 = 6000;
/// These take half of a second each.
const LARGE_CASES: u64 = 60;

#[derive(Default)]
struct Seen {
    /// For each tier the cases, and the largest error relative to the bound.
    tiers: BTreeMap<&'static str, (usize, f64)>,
    /// How many cases had each pair of options.
    pairs: BTreeMap<[String; 2], usize>,
    options: BTreeMap<String, usize>,
}

#[test]
fn random_cases_agree_with_the_definition() {
    let seen = all_agree(CASES, Case::random);
    println!("cases with each option: {:?}", seen.options);
    // Every option has met every other. (Only the reference normalization excludes some.)
    let names: Vec<&String> = seen.options.keys().collect();
    for (i, a) in names.iter().enumerate() {
        for b in &names[i + 1..] {
            let kind = |name: &String| name.split(' ').next().unwrap().to_string();
            let excluded = b.contains("PerAxis") || b.contains("PerCenterAndAxis");
            if kind(a) == kind(b) || (excluded && a.contains("Reference")) {
                continue;
            }
            let count = seen.pairs.get(&[(*a).clone(), (*b).clone()]).copied().unwrap_or(0);
            assert!(count >= 10, "only {count} cases with {a} and {b}");
        }
    }
}

#[test]
fn many_narrow_gaussians_agree_with_the_definition() {
    all_agree(CASES / 6, Case::random_narrow);
}

/// Tiles of other shapes, and stores past the caches.
#[test]
fn few_gaussians_on_grids_beyond_the_caches_agree_with_the_definition() {
    all_agree(LARGE_CASES, Case::random_large);
}

fn all_agree(cases: u64, random_case: fn(&mut Random) -> Case) -> Seen {
    let seen = Mutex::new(Seen::default());
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(2, |n| n.get()) as u64;
        for worker in 0..workers {
            let seen = &seen;
            scope.spawn(move || {
                for seed in (0..cases).filter(|seed| seed % workers == worker) {
                    check(seed, random_case, seen);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    for (tier, (count, error)) in &seen.tiers {
        println!("{tier}: {count} cases, at most {error:.2} of the bound");
        assert!(*count as u64 == cases);
    }
    assert_eq!(seen.tiers.len(), Isa::supported().count());
    seen
}

fn check(seed: u64, random_case: fn(&mut Random) -> Case, seen: &Mutex<Seen>) {
    let mut case = random_case(&mut Random(seed));
    let expected = case.definition.sum(&case.gaussians);
    let mut errors = Vec::new();
    for isa in Isa::supported() {
        case.isa = isa;
        let values = case.run().unwrap_or_else(|error| panic!("case {seed}: {error}\n{case:?}"));
        let error = case.check(&values, &expected);
        errors.push((isa.name(), error.unwrap_or_else(|text| panic!("case {seed}: {text}\n{case:?}"))));
    }
    let mut seen = seen.lock().unwrap();
    for (tier, error) in errors {
        let entry = seen.tiers.entry(tier).or_default();
        *entry = (entry.0 + 1, entry.1.max(error));
    }
    let options = case.options();
    for (i, a) in options.iter().enumerate() {
        *seen.options.entry(a.clone()).or_default() += 1;
        for b in &options[i + 1..] {
            *seen.pairs.entry([a.min(b).clone(), a.max(b).clone()]).or_default() += 1;
        }
    }
}

#[test]
fn the_order_of_the_centres_stays_within_the_bound() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut case = Case::random(&mut random);
        for i in (1..case.gaussians.len()).rev() {
            let j = random.below(i + 1);
            // One sigma for all is that of the first; all others belong to their centre.
            case.gaussians.swap(i, j);
        }
        let expected = case.definition.sum(&case.gaussians);
        for isa in Isa::supported() {
            case.isa = isa;
            let values = case.run().unwrap();
            case.check(&values, &expected).unwrap_or_else(|text| panic!("case {seed}, shuffled: {text}"));
        }
    }
}
