//! Every operation of every tier this machine runs, against plain Rust.

use super::exp::{exp2_f64, exp2_split_f32};
use super::*;

/// The largest error of `exp2` in ulp over the whole range, for f32 and f64.
struct ExpError;

impl Kernel for ExpError {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (f64, f64) {
        let mut worst = (0.0f64, 0.0f64);
        let mut lanes32 = [0.0f32; 16];
        let mut lanes64 = [0.0f64; 8];
        for i in 0..200_000u32 {
            let y = -126.0 * (f64::from(i) / 200_000.0);
            let y32: [f64; 16] = std::array::from_fn(|lane| (y - 1e-5 * lane as f64).max(-126.0));
            let whole = y32.map(|y| y.round() as f32);
            let part: [f32; 16] = std::array::from_fn(|lane| (y32[lane] - f64::from(whole[lane])) as f32);
            // SAFETY: the arrays hold the lanes of the widest tier.
            unsafe {
                let (n, r) = (S::F32::load(simd, whole.as_ptr()), S::F32::load(simd, part.as_ptr()));
                exp2_split_f32(simd, n, r).store(lanes32.as_mut_ptr());
            }
            for lane in 0..S::F32::LANES {
                let exact = (f64::from(whole[lane]) + f64::from(part[lane])).exp2();
                let ulp = f64::from(exact as f32) - f64::from((exact as f32).next_down());
                worst.0 = worst.0.max((f64::from(lanes32[lane]) - exact).abs() / ulp);
            }
            let y64: [f64; 8] = std::array::from_fn(|lane| 8.0 * y - 1e-4 * lane as f64);
            let zero = S::F64::splat(simd, 0.0);
            // SAFETY: as above.
            unsafe { exp2_f64(simd, S::F64::load(simd, y64.as_ptr()), zero).store(lanes64.as_mut_ptr()) };
            for lane in 0..S::F64::LANES {
                // std's exp2 is itself only within 1 ulp.
                let exact = y64[lane].exp2();
                worst.1 = worst.1.max((lanes64[lane] - exact).abs() / (exact - exact.next_down()));
            }
        }
        worst
    }
}

#[test]
fn exp2_is_within_its_bound_over_the_whole_range() {
    for isa in Isa::supported() {
        let (ulp32, ulp64) = dispatch(isa, ExpError);
        println!("{}: exp2 within {ulp32:.2} ulp (f32), {ulp64:.2} ulp (f64)", isa.name());
        assert!(ulp32 <= 1.5, "{}: f32 {ulp32}", isa.name());
        assert!(ulp64 <= 2.5, "{}: f64 {ulp64}, one of them std's", isa.name());
    }
}

#[test]
fn exp2_ends_in_one_and_in_zero() {
    struct Ends;
    impl Kernel for Ends {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let mut out = [7.0f32; 16];
            for (n, expected) in
                [(0.0, 1.0), (-1.0, 0.5), (-126.0, f32::MIN_POSITIVE), (127.0, 2f32.powi(127))]
            {
                let zero = S::F32::splat(simd, 0.0);
                // SAFETY: the array holds the lanes of the widest tier.
                unsafe { exp2_split_f32(simd, S::F32::splat(simd, n), zero).store(out.as_mut_ptr()) };
                assert!(out[..S::F32::LANES].iter().all(|&v| v == expected), "{n} {out:?}");
            }
            let mut out = [7.0f64; 8];
            for (y, tail, expected) in [
                (0.0, 0.0, 1.0),
                (-1022.0, 0.0, f64::MIN_POSITIVE),
                (-1023.0, 0.0, 0.0),
                (-3.0, 1e-17, 0.125),
            ] {
                // SAFETY: as above.
                unsafe {
                    exp2_f64(simd, S::F64::splat(simd, y), S::F64::splat(simd, tail)).store(out.as_mut_ptr())
                };
                assert!(out[..S::F64::LANES].iter().all(|&v| v == expected), "{y} {out:?}");
            }
        }
    }
    Isa::supported().for_each(|isa| dispatch(isa, Ends));
}

/// One operation on all lanes of loaded values, for every pair of awkward numbers.
struct Operations;

impl Kernel for Operations {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let values = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            3.0e38,
            -3.0e38,
            1e-45,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            16777217.0,
            0.1,
        ];
        for &a in &values {
            for &b in &values {
                float::<S, S::F32>(simd, a, b, |v| v, f32::to_bits, |x, y| x.is_nan() && y.is_nan());
                float::<S, S::F64>(
                    simd,
                    f64::from(a),
                    f64::from(b),
                    |v| v,
                    f64::to_bits,
                    |x, y| x.is_nan() && y.is_nan(),
                );
                bitwise::<S>(simd, a, b);
                let (x, y) = (f64::from(a) * 1.1, f64::from(b) * 0.3);
                let narrow = S::narrow(S::F64::splat(simd, x), S::F64::splat(simd, y));
                let mut out = [0.0f32; 16];
                // SAFETY: the array holds the lanes of the widest tier.
                unsafe { narrow.store(out.as_mut_ptr()) };
                let mut stored = [0.0f32; 16];
                // SAFETY: as above.
                unsafe {
                    S::store_narrow(S::F64::splat(simd, x), S::F64::splat(simd, y), stored.as_mut_ptr())
                };
                assert_eq!(stored.map(f32::to_bits), out.map(f32::to_bits));
                let half = S::F64::LANES;
                assert!(out[..half].iter().all(|v| v.to_bits() == (x as f32).to_bits() || x.is_nan()));
                assert!(
                    out[half..2 * half].iter().all(|v| v.to_bits() == (y as f32).to_bits() || y.is_nan())
                );
                let mut out = [0.0f64; 8];
                // SAFETY: as above.
                unsafe { S::F64::splat(simd, x).round_to_f32().store(out.as_mut_ptr()) };
                assert!(
                    out[..half].iter().all(|v| v.to_bits() == f64::from(x as f32).to_bits() || x.is_nan())
                );
            }
        }
        let numbers: [f32; 16] = std::array::from_fn(|i| (i * 17) as f32);
        let mut bytes = [1u8; 17];
        // SAFETY: the arrays hold the lanes of the widest tier.
        let loaded = unsafe { S::F32::load(simd, numbers.as_ptr()) };
        // SAFETY: as above.
        unsafe { loaded.store_bytes(bytes.as_mut_ptr()) };
        for (lane, &byte) in bytes.iter().enumerate() {
            assert_eq!(byte, if lane < S::F32::LANES { (lane * 17) as u8 } else { 1 });
        }
        let [low, high] = S::widen(loaded);
        let mut wide = [0.0f64; 16];
        // SAFETY: as above, two halves.
        unsafe {
            low.store(wide.as_mut_ptr());
            high.store(wide.as_mut_ptr().add(S::F64::LANES));
        }
        assert!((0..S::F32::LANES).all(|i| wide[i] == f64::from(numbers[i])));
        for limit in [-1.0, 17.0, 50.0, 200.0, 300.0] {
            let limits = S::F64::splat(simd, limit);
            let joined = S::join(low.le(limits), high.le(limits)).bits();
            let expected = (0..S::F32::LANES).filter(|&i| wide[i] <= limit).fold(0, |bits, i| bits | 1 << i);
            assert_eq!(joined, expected, "join at {limit}");
        }
    }
}

#[inline(always)]
fn bitwise<S: Simd>(simd: S, a: f32, b: f32) {
    let (x, y) = (S::F32::splat(simd, a), S::F32::splat(simd, b));
    let (i, j) = (a.to_bits() as i32, b.to_bits() as i32);
    let mut out = [0.0f32; 16];
    // SAFETY: the array holds the lanes of the widest tier.
    unsafe { x.min_bits(y).store(out.as_mut_ptr()) };
    assert!(out[..S::F32::LANES].iter().all(|v| v.to_bits() as i32 == i.min(j)));
    let check = |v: S::F32, expected: u32| {
        let mut out = [0.0f32; 16];
        // SAFETY: as above.
        unsafe { v.store(out.as_mut_ptr()) };
        assert!(out[..S::F32::LANES].iter().all(|v| v.to_bits() == expected));
    };
    let (u, v) = (a.to_bits(), b.to_bits());
    check(x.max_unsigned(y), u.max(v));
    check(x.and_bits(y), u & v);
    check(x.collect_differing(y, S::F32::splat(simd, 1.0)), u | (v ^ 1.0f32.to_bits()));
    let mut bytes = [0u8; 16];
    // SAFETY: as above.
    unsafe { x.store_low_bits::<5>(bytes.as_mut_ptr()) };
    assert!(bytes[..S::F32::LANES].iter().all(|&byte| u32::from(byte) == u & 31));
    let all = (1u32 << S::F32::LANES) - 1;
    assert_eq!(x.lt_bits(y).bits(), if i < j { all } else { 0 });
}

#[inline(always)]
fn float<S: Simd, V: Vector<Simd = S>>(
    simd: S,
    a: V::Elem,
    b: V::Elem,
    id: impl Fn(V::Elem) -> V::Elem,
    bits: impl Fn(V::Elem) -> <V::Elem as Bits>::Bits,
    both_nan: impl Fn(V::Elem, V::Elem) -> bool,
) where
    V::Elem: Bits,
{
    let (x, y) = (V::splat(simd, id(a)), V::splat(simd, id(b)));
    let check = |v: V, expected: V::Elem, what: &str| {
        let mut out = [a; 16];
        // SAFETY: the array holds the lanes of the widest tier.
        unsafe { v.store(out.as_mut_ptr()) };
        for &lane in &out[..V::LANES] {
            assert!(
                bits(lane) == bits(expected) || both_nan(lane, expected),
                "{what} of {a:?}, {b:?}: {lane:?}, expected {expected:?}"
            );
        }
    };
    check(x.add(y), a + b, "add");
    check(x.sub(y), a - b, "sub");
    check(x.mul(y), a * b, "mul");
    check(x.div(y), a / b, "div");
    check(x.abs(), a.absolute(), "abs");
    let all = (1u32 << V::LANES) - 1;
    let mask = |m: V::Mask, expected: bool, what: &str| {
        assert_eq!(m.bits(), if expected { all } else { 0 }, "{what} of {a:?}, {b:?}");
        assert_eq!(m.not().bits(), if expected { 0 } else { all }, "not {what}");
        check(x.select(m, y), if expected { a } else { b }, "select");
    };
    mask(x.lt(y), a < b, "lt");
    mask(x.le(y), a <= b, "le");
    mask(x.eq(y), a == b, "eq");
    mask(x.lt(y).or(x.eq(y)), a <= b, "or");
    mask(x.le(y).and(x.eq(y)), a == b, "and");
    check(x.min(y), if a < b { a } else { b }, "min");
    check(x.max(y), if a > b { a } else { b }, "max");
}

/// Floating point without a crate for it: what the test above needs of f32 and f64 alike.
trait Bits:
    Copy
    + std::fmt::Debug
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
{
    type Bits: PartialEq;
    fn absolute(self) -> Self;
}

impl Bits for f32 {
    type Bits = u32;
    fn absolute(self) -> Self {
        self.abs()
    }
}

impl Bits for f64 {
    type Bits = u64;
    fn absolute(self) -> Self {
        self.abs()
    }
}

#[test]
fn operations_agree_with_scalar_arithmetic() {
    Isa::supported().for_each(|isa| dispatch(isa, Operations));
}

#[test]
fn product_errors_are_exact() {
    struct Products;
    impl Kernel for Products {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for i in 1..2000 {
                let (a, b) = (f64::from(i) * 0.123_456_789, 1.0 / f64::from(i));
                let product = S::F64::splat(simd, a).mul(S::F64::splat(simd, b));
                let error = S::F64::splat(simd, a).mul_error(S::F64::splat(simd, b), product);
                let mut out = [0.0f64; 8];
                // SAFETY: the array holds the lanes of the widest tier.
                unsafe { error.store(out.as_mut_ptr()) };
                assert!(out[..S::F64::LANES].iter().all(|&e| e == a.mul_add(b, -(a * b))));
            }
        }
    }
    Isa::supported().for_each(|isa| dispatch(isa, Products));
}

#[test]
fn operations_on_i16_agree_with_scalar_arithmetic() {
    struct Words;
    impl Kernel for Words {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let mut state = 1u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16
            };
            for round in 0..200 {
                let a: [i16; 32] = std::array::from_fn(|_| next());
                let b: [i16; 32] = std::array::from_fn(|i| if (i + round) % 5 == 0 { a[i] } else { next() });
                // SAFETY: the arrays hold the lanes of the widest tier.
                let (x, y) = unsafe { (S::I16::load(simd, a.as_ptr()), S::I16::load(simd, b.as_ptr())) };
                let check = |v: S::I16, expected: &dyn Fn(i16, i16) -> i16, what: &str| {
                    let mut out = [0i16; 32];
                    // SAFETY: as above.
                    unsafe { v.store(out.as_mut_ptr()) };
                    for i in 0..S::I16::LANES {
                        assert_eq!(out[i], expected(a[i], b[i]), "{what} of {} and {}", a[i], b[i]);
                    }
                };
                check(x.add_saturating(y), &i16::saturating_add, "add_saturating");
                check(x.sub_saturating(y), &i16::saturating_sub, "sub_saturating");
                check(x.min(y), &i16::min, "min");
                check(x.max(y), &i16::max, "max");
                check(x.min_unsigned(y), &|a, b| (a as u16).min(b as u16) as i16, "min_unsigned");
                check(x.xor(y), &|a, b| a ^ b, "xor");
                let product = |a, b| ((i32::from(a) * i32::from(b) + 0x4000) >> 15) as i16;
                check(x.mul_round(y), &product, "mul_round");
                check(x.or(y), &|a, b| a | b, "or");
                check(x.not_and(y), &|a, b| !a & b, "not_and");
                check(x.with_bits(y, y), &|a, b| (a & !b) | b, "with_bits");
                check(x.with_bits(y, S::I16::splat(simd, 0)), &|a, b| a & !b, "with_bits");
                check(x.select(x.lt(y), y), &i16::min, "select");
                check(
                    S::I16::splat(simd, 7).select(x.lt(y).not(), x),
                    &|a, b| if a < b { a } else { 7 },
                    "lt",
                );
                let expected = (0..S::I16::LANES).fold(0, |bits, i| bits | u32::from(a[i] < b[i]) << i);
                assert_eq!(x.lt(y).bits(), expected);
                assert_eq!(x.lt(y).or(y.lt(x)).and(x.lt(y)).bits(), expected);
                let mut bytes = [0u8; 32];
                // SAFETY: as above.
                unsafe {
                    x.with_bits(S::I16::splat(simd, !255), S::I16::splat(simd, 0))
                        .store_bytes(bytes.as_mut_ptr())
                };
                assert!((0..S::I16::LANES).all(|i| bytes[i] == a[i] as u8));
            }
        }
    }
    Isa::supported().for_each(|isa| dispatch(isa, Words));
}

/// exp(x²)·erfc(x) = 2/√π · ∫ exp(−u² − 2xu) du over u ≥ 0, by an eight-point rule on short pieces.
fn erfcx_by_quadrature(x: f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    // In units in which the integrand falls by a factor of e or more; 40 of them leave nothing.
    let unit = 1.0 / (2.0 * x).max(1.0);
    let width = 0.25;
    // From the smallest pieces up, with what every addition loses carried along.
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for piece in (0..160).rev() {
        let middle = (f64::from(piece) + 0.5) * width;
        for (node, weight) in NODES {
            for v in [middle - node * width / 2.0, middle + node * width / 2.0] {
                let u = v * unit;
                let term = weight * (-u * u - 2.0 * x * u).exp() - lost;
                let next = sum + term;
                lost = (next - sum) - term;
                sum = next;
            }
        }
    }
    sum * unit * width / 2.0 * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn erfcx_is_within_its_bound_over_the_whole_range() {
    use super::erf::erfcx;
    struct ErfError;
    impl Kernel for ErfError {
        type Output = f64;
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> f64 {
            let value = |x: f64| {
                let mut lanes = [0.0; 8];
                // SAFETY: the array holds the lanes of the widest tier.
                unsafe { erfcx(simd, S::F64::splat(simd, x)).store(lanes.as_mut_ptr()) };
                assert!(lanes[..S::F64::LANES].iter().all(|v| v.to_bits() == lanes[0].to_bits()));
                lanes[0]
            };
            assert_eq!(value(f64::INFINITY), 0.0);
            let mut worst = 0.0f64;
            let dense = (0..6000).map(|i| f64::from(i) * 0.005);
            let far = (0..2000).map(|i| 10f64.powf(-20.0 + f64::from(i) * 0.05));
            for x in dense.chain(far) {
                let exact = erfcx_by_quadrature(x);
                worst = worst.max((value(x) - exact).abs() / (exact - exact.next_down()));
            }
            worst
        }
    }
    // 20 digits of a table, for the quadrature itself.
    for (x, exact) in [
        (0.0, 1.0),
        (0.1, 0.896_456_979_969_126_6),
        (1.0, 0.427_583_576_155_807),
        (5.0, 0.110_704_637_733_068_63),
        (30.0, 0.018_795_888_861_416_75),
    ] {
        assert!((erfcx_by_quadrature(x) / exact - 1.0).abs() < 3e-16, "{x}: {}", erfcx_by_quadrature(x));
    }
    for isa in Isa::supported() {
        let ulp = dispatch(isa, ErfError);
        println!("{}: erfcx within {ulp:.2} ulp", isa.name());
        assert!(ulp <= 6.0, "{}: {ulp}, one of them the quadrature's", isa.name());
    }
}

#[test]
fn words_of_bits_and_bytes_become_masks() {
    struct Words;
    impl Kernel for Words {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            check::<S, S::F32>(simd, 2.0, 3.0, 1.0, 7.0);
            check::<S, S::F64>(simd, 2.0, 3.0, 1.0, 7.0);
            let bytes: [u8; 40] = std::array::from_fn(|i| [0, 1, 255, 0, 0, 128, 0][i % 7]);
            for first in 0..24 {
                // SAFETY: so many bytes follow as the widest tier has lanes.
                let mask = unsafe { S::F32::nonzero(simd, bytes.as_ptr().add(first)) };
                let expected =
                    (0..S::F32::LANES).map(|lane| u32::from(bytes[first + lane] != 0) << lane).sum();
                assert_eq!(mask.bits(), expected);
            }
            let (first, end): ([f32; 16], [f32; 16]) = (
                [0.0, 0.0, 31.0, 32.0, 40.0, 5.0, 0.0, 7.0, 1.0, 2.0, 16.0, 15.0, 0.0, 33.0, 31.0, 3.0],
                [0.0, 32.0, 32.0, 32.0, 70.0, 9.0, 99.0, 7.0, 31.0, 3.0, 17.0, 16.0, 1.0, 33.0, 80.0, 30.0],
            );
            let mut words = [7u32; 16];
            let mut roots = [0.0f32; 16];
            // SAFETY: the arrays hold the lanes of the widest tier.
            unsafe {
                let (first, end) = (S::F32::load(simd, first.as_ptr()), S::F32::load(simd, end.as_ptr()));
                first.store_runs(end, words.as_mut_ptr());
                end.sqrt().store(roots.as_mut_ptr());
            }
            for lane in 0..S::F32::LANES {
                let bits = (0..32).filter(|&bit| first[lane] <= bit as f32 && (bit as f32) < end[lane]);
                assert_eq!(words[lane], bits.fold(0, |word, bit| word | 1 << bit), "lane {lane}");
                assert_eq!(roots[lane], end[lane].sqrt());
            }
        }
    }
    #[inline(always)]
    fn check<S: Simd, V: Vector<Simd = S>>(simd: S, a: V::Elem, b: V::Elem, c: V::Elem, sum: V::Elem) {
        let [a, b, c, sum] = [a, b, c, sum].map(|value| V::splat(simd, value));
        for word in [0u32, u32::MAX, 0x1234_5678, 0x8000_0001, 0x0ff0_a55a] {
            for first in (0..32).step_by(V::LANES) {
                let bits = (word >> first) & (u32::MAX >> (32 - V::LANES));
                let mask = V::mask(simd, &word, first);
                assert_eq!(mask.bits(), bits);
                let result = a.mul_add_where(mask, b, c);
                assert_eq!(result.eq(sum).bits(), bits);
                assert_eq!(result.eq(c).bits() & !bits, !bits & (u32::MAX >> (32 - V::LANES)));
            }
        }
    }
    Isa::supported().for_each(|isa| dispatch(isa, Words));
}

#[test]
fn lanes_look_elements_up() {
    struct Lookup;
    impl Kernel for Lookup {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let table: [f64; 8] = std::array::from_fn(|i| 1.0 / (i as f64 + 3.0));
            let long_table: [f32; 32] = std::array::from_fn(|i| 1.0 / (i as f32 + 5.0));
            let bits = if S::LONG_TABLES { 31 } else { 7 };
            // Numbers from −999 on whose lowest bits go through all eight, in another order than the lanes.
            let integers: [i16; 32] = std::array::from_fn(|lane| (lane * 77) as i16 - 999);
            // SAFETY: the array holds the lanes of the widest tier.
            let doubled = unsafe { S::I16::load(simd, integers.as_ptr()) }.double();
            for first in (0..S::I16::LANES).step_by(S::F32::LANES) {
                let loaded = doubled[first / S::F32::LANES];
                let (mut numbers, mut found, mut singles) = ([0.0f32; 16], [0.0f64; 16], [0.0f32; 16]);
                // SAFETY: the arrays hold the lanes of the widest tier.
                unsafe {
                    loaded.integers().store(numbers.as_mut_ptr());
                    let [low, high] = simd.look_up(&table, loaded);
                    loaded.look_up(simd, &long_table).store(singles.as_mut_ptr());
                    low.store(found.as_mut_ptr());
                    high.store(found.as_mut_ptr().add(S::F64::LANES));
                }
                for lane in 0..S::F32::LANES {
                    let integer = integers[first + lane];
                    let doubled = i32::from(integer) << 16 | i32::from(integer as u16);
                    assert_eq!(numbers[lane], doubled as f32, "lane {lane}");
                    assert_eq!(found[lane], table[(integer & 7) as usize], "lane {lane}");
                    assert_eq!(singles[lane], long_table[(integer & bits) as usize], "lane {lane}");
                }
            }
        }
    }
    Isa::supported().for_each(|isa| dispatch(isa, Lookup));
}
