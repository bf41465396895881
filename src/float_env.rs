//! The floating-point environment. Rounding mode and flush-to-zero belong to the thread, and programs
//! change them: one linked with `-ffast-math` flushes subnormals, which would change results.

/// While it lives, this thread rounds to nearest and keeps subnormals; then the caller's settings,
/// status flags included, are back.
pub(crate) struct DefaultFloatEnv {
    saved: Control,
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod control {
    pub(super) type Control = u32;
    /// All exceptions masked, round to nearest, no flush to zero, subnormal inputs kept.
    pub(super) const DEFAULT: Control = 0x1f80;

    #[inline]
    pub(super) fn read() -> Control {
        let mut control: Control = 0;
        // SAFETY: stores the control register into a local.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut control, options(nostack)) };
        control
    }

    #[inline]
    pub(super) fn write(control: Control) {
        // SAFETY: loads the control register; no reserved bit is set, since the value is the default
        // or was read from the register.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &control, options(nostack)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    pub(super) type Control = u64;
    /// Round to nearest, no flush to zero, no traps.
    pub(super) const DEFAULT: Control = 0;

    #[inline]
    pub(super) fn read() -> Control {
        let control: Control;
        // SAFETY: FPCR may be read from user space.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack)) };
        control
    }

    #[inline]
    pub(super) fn write(control: Control) {
        // SAFETY: FPCR may be written from user space; the value is the default or was read from it.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
mod control {
    pub(super) type Control = ();
    pub(super) const DEFAULT: Control = ();
    pub(super) fn read() -> Control {}
    pub(super) fn write((): Control) {}
}

use control::Control;

impl DefaultFloatEnv {
    pub(crate) fn enter() -> DefaultFloatEnv {
        let saved = control::read();
        control::write(control::DEFAULT);
        DefaultFloatEnv { saved }
    }
}

impl Drop for DefaultFloatEnv {
    fn drop(&mut self) {
        control::write(self.saved);
    }
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) mod tests {
    use super::*;
    use std::hint::black_box;

    /// What a program linked with `-ffast-math` sets, and rounding up besides.
    const FAST: u64 = if cfg!(target_arch = "aarch64") {
        1 << 24 | 1 << 22
    } else {
        control::DEFAULT as u64 | 0x8040 | 0x4000
    };

    /// Runs `work` with subnormals flushed to zero and rounding up, and returns the settings that it
    /// leaves behind, without x86's status flags.
    pub(crate) fn in_fast_mode<T>(work: impl FnOnce() -> T) -> (T, bool) {
        let before = control::read();
        control::write(FAST as Control);
        let result = work();
        let after = control::read();
        control::write(before);
        (result, after as u64 & !0x3f == FAST)
    }

    #[test]
    fn subnormals_survive_inside_and_the_callers_setting_returns() {
        let halve = || black_box(black_box(f32::MIN_POSITIVE) * black_box(0.5));
        let ((outside, inside), kept) = in_fast_mode(|| {
            let outside = halve();
            let _guard = DefaultFloatEnv::enter();
            (outside, halve())
        });
        assert_eq!(outside, 0.0);
        assert!(inside > 0.0);
        assert!(kept);
    }
}
