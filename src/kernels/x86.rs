//! What both instruction sets of x86 do in the same way: a vector's operations, by its intrinsics.

/// Implements [`Vector`](super::vector::Vector): lanes, register class, the feature that its registers
/// need, intrinsics, and what else it can do.
macro_rules! x86_vector {
    (
        $vector:ty, $lanes:literal lanes in $register:ident of $feature:literal,
        load $load:ident, store $store:ident, splat $splat:ident, zero $zero:ident,
        multiply_add $fmadd:ident, add $add:ident, max $max:ident
        $(, $($more:tt)*)?
    ) => {
        // SAFETY: operations are those of the names, and multiply-adds are fused.
        unsafe impl Vector for $vector {
            const LANES: usize = $lanes;
            /// Where a row is: a pointer, and how often a stride after it.
            type Quad = (*const f32, usize, usize);
            type Picked = Self;

            #[inline(always)]
            unsafe fn prefetch(line: *const f32) {
                // SAFETY: promised by the caller.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: promised by the caller.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn splat(from: *const f32) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $splat(*from) }
            }

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: promised by the caller.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $fmadd(self, factor, sum) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn greater_or(self, other: Self) -> Self {
                // SAFETY: promised by the caller. `maxps` gives its second operand unless the first is
                // greater.
                unsafe { $max(self, other) }
            }

            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: promised by the caller. As above: NaN and -0 become the second operand.
                unsafe { $max(self, $zero()) }
            }

            #[inline(always)]
            unsafe fn settled(self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { settled(self) }
            }

            #[inline(always)]
            unsafe fn quad(from: *const f32, row: usize, stride: usize) -> Self::Quad {
                (from, row, stride)
            }

            #[inline(always)]
            unsafe fn one(from: *const f32, row: usize, stride: usize) -> Self::Quad {
                (from, row, stride)
            }

            #[inline(always)]
            unsafe fn pick<const I: i32>((from, row, stride): Self::Quad) -> Self {
                // SAFETY: promised by the caller.
                unsafe {
                    match row {
                        0 => broadcast::<0, I>(from, stride),
                        1 => broadcast::<1, I>(from, stride),
                        _ => broadcast::<2, I>(from, stride),
                    }
                }
            }

            #[inline(always)]
            unsafe fn multiply_add_picked<const I: i32>(self, picked: Self, sum: Self) -> Self {
                // SAFETY: promised by the caller.
                unsafe { self.multiply_add(picked, sum) }
            }

            $($($more)*)?
        }

        /// # Safety
        /// The CPU has the vector's instructions.
        #[inline]
        #[target_feature(enable = $feature)]
        unsafe fn settled(mut vector: $vector) -> $vector {
            // SAFETY: there is no instruction.
            unsafe {
                std::arch::asm!(
                    "/* {} */",
                    inout($register) vector,
                    options(nomem, nostack, preserves_flags),
                );
            }
            vector
        }

        /// The float `ROW` strides and `I` floats after `from`, in all lanes. Written out, for the compiler
        /// loads inputs early and spills them.
        ///
        /// # Safety
        /// The float exists.
        #[inline]
        #[target_feature(enable = $feature)]
        unsafe fn broadcast<const ROW: usize, const I: i32>(
            from: *const f32,
            stride: usize,
        ) -> $vector {
            let picked: $vector;
            // SAFETY: promised by the caller.
            unsafe {
                match ROW {
                    0 => x86_broadcast!(picked, $register, I, from, ""),
                    1 => x86_broadcast!(picked, $register, I, from, "+4*{stride}", stride),
                    _ => x86_broadcast!(picked, $register, I, from, "+8*{stride}", stride),
                }
            }
            picked
        }
    };
}
pub(super) use x86_vector;

/// The instruction: float `i` after an address.
macro_rules! x86_broadcast {
    (
        $picked:ident, $register:ident, $i:expr, $from:ident, $address:literal $(, $stride:ident)?
    ) => {
        std::arch::asm!(
            concat!("vbroadcastss {picked}, dword ptr [{from}", $address, "+{offset}]"),
            picked = out($register) $picked,
            from = in(reg) $from,
            $(stride = in(reg) $stride,)?
            offset = const 4 * $i,
            options(readonly, nostack, preserves_flags),
        )
    };
}
pub(super) use x86_broadcast;
