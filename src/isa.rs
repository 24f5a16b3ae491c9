//! Instruction-set tiers: which exist, which this machine runs, which one a call takes.
//!
//! The tiers are ordered. Detection gives the highest; the environment variable `VOXLANE_ISA` and the
//! option of a call can only lower it, so that a forced tier can never meet an unknown instruction.

use crate::environment::Variable;
use crate::error::{Error, ErrorKind};

/// An instruction-set tier. The discriminants are the `VOXLANE_ISA_*` values of the C interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum Isa {
    /// What every processor of the target has: SSE2 on x86-64, NEON on aarch64.
    Portable = 1,
    /// AVX2 with FMA, 256-bit vectors.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL, 512-bit vectors.
    Avx512 = 3,
}

impl Isa {
    /// All tiers, lowest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The name that `VOXLANE_ISA` takes: `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this machine (processor and operating system) runs the tier.
    pub fn is_supported(self) -> bool {
        self <= Isa::detected()
    }

    /// The tiers this machine runs, lowest first.
    pub fn supported() -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_supported())
    }

    /// The tier a call takes that does not ask for one: the highest supported one, lowered by
    /// `VOXLANE_ISA`.
    ///
    /// # Errors
    /// [`ErrorKind::Isa`] if `VOXLANE_ISA` is misspelt or names a tier that this machine lacks. The
    /// variable is read once, at the first call of the process.
    pub fn active() -> Result<Isa, Error> {
        static VARIABLE: Variable = Variable::new("VOXLANE_ISA");
        let Some(text) = VARIABLE.value().filter(|text| !text.is_empty()) else {
            return Ok(Isa::detected());
        };
        match Isa::ALL.into_iter().find(|isa| text.eq_ignore_ascii_case(isa.name())) {
            Some(isa) if isa.is_supported() => Ok(isa),
            Some(isa) => Err(unsupported(isa, "VOXLANE_ISA")),
            None => Err(Error::new(
                ErrorKind::Isa,
                format!("VOXLANE_ISA is {text:?}, none of portable, avx2, avx512 (or empty)"),
            )),
        }
    }

    /// The tier for a call that asks for `requested` (`None`: automatic).
    pub(crate) fn choose(requested: Option<Isa>) -> Result<Isa, Error> {
        let active = Isa::active()?;
        match requested {
            None => Ok(active),
            Some(isa) if isa.is_supported() => Ok(isa.min(active)),
            Some(isa) => Err(unsupported(isa, "isa")),
        }
    }

    fn detected() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            // std caches the answer, and it checks that the system saves the wide registers.
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512bw")
                && std::arch::is_x86_feature_detected!("avx512dq")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Isa::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }
}

fn unsupported(isa: Isa, source: &str) -> Error {
    let detected = Isa::detected();
    Error::new(
        ErrorKind::Isa,
        format!(
            "{source} asks for {} ({}), but this machine runs nothing above {} ({})",
            isa.name(),
            isa as i32,
            detected.name(),
            detected as i32
        ),
    )
}
