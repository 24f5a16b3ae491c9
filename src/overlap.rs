//! Whether strided arrays share an element: a search over the differences of their indices.

/// One axis of a search: any of the values `step·low, …, step·high`.
pub(crate) struct Term {
    pub(crate) step: i128,
    pub(crate) low: i128,
    pub(crate) high: i128,
}

/// Whether one value of each term can be chosen so that their sum lies in `min..=max`.
///
/// Exact by branch and bound, coarsest step first: the finer terms leave only a few candidates. On
/// contrived strides the search could grow without end, so after a million steps it answers yes.
pub(crate) fn reaches(mut terms: Vec<Term>, min: i128, max: i128) -> bool {
    fn search(terms: &[Term], min: i128, max: i128, steps: &mut u32) -> bool {
        let Some((term, rest)) = terms.split_first() else {
            return min <= 0 && 0 <= max;
        };
        let (low, high) = rest.iter().fold((0, 0), |(l, h), t| (l + t.step * t.low, h + t.step * t.high));
        // step·v must lie in [min − high, max − low].
        let (first, last) = if term.step == 0 {
            (term.low, term.low)
        } else {
            ((min - high).div_euclid(term.step), (max - low).div_euclid(term.step))
        };
        for v in first.max(term.low)..=last.min(term.high) {
            *steps += 1;
            if *steps > 1_000_000 || search(rest, min - v * term.step, max - v * term.step, steps) {
                return true;
            }
        }
        false
    }
    terms.sort_unstable_by_key(|t| std::cmp::Reverse(t.step));
    // Two views of one array share their strides: axes of equal step are one axis.
    let mut merged: Vec<Term> = Vec::with_capacity(terms.len());
    for term in terms {
        match merged.last_mut() {
            Some(last) if last.step == term.step => {
                last.low += term.low;
                last.high += term.high;
            }
            _ => merged.push(term),
        }
    }
    search(&merged, min, max, &mut 0)
}
