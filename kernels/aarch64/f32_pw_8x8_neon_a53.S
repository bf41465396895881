// Tiles of a pointwise convolution scheduled for Cortex-A53.
//
// A Cortex-A53 starts two instructions a cycle in order, of which one may be a 128-bit multiply-add. A 128-bit
// load takes both places for two cycles. A 64-bit load into a vector starts neither beside a multiply-add nor four
// cycles after one, but beside the insertion of a general register, whose own load has its place beside a
// multiply-add. So 128 bits cost a cycle: 64 are loaded, and the 64 inserted that complete the load before. Four
// cycles later, after three multiply-adds, comes the next. Four inputs of 8 rows are 64 multiply-adds and 16
// such loads; where a chain of loads ends another cycle is lost, which makes 82. Of 7 rows they are 72.
//
// While four inputs are multiplied, the last rows and the third's and fourth's weights are loaded for
// themselves; then for the next four the first two's weights, and rows whose last use is over. The last four of a
// range load nothing ahead: nothing outside the range is read.

#include "f32_pw_8x8.h"

.macro multiply_add sum, factor, input, lane
    fmla v\sum\().4s, v\factor\().4s, v\input\().s[\lane]
.endm

// Number \n of a group: of four inputs, for each row, two vectors.
.macro fma n
    .set lane, (\n) / (2 * ROWS)
    .set sum, (\n) % (2 * ROWS)
    .altmacro
    multiply_add %(16 + sum), %(8 + 2 * lane + sum % 2), %(sum / 2), %(lane)
    .noaltmacro
.endm

.macro fmas numbers:vararg
    .irp n, \numbers
    fma \n
    .endr
.endm

// The next vector of a row, or of weights: its lower half and the way of the upper, and what completes
// vector \before; with multiply-adds from \n on.
.macro row n, vector, pointer, before
    ldr d\vector, [x\pointer], 16
    .ifnb \before
    ins v\before\().d[1], x13
    .endif
    fma \n
    ldr x13, [x\pointer, -8]
    fma \n + 1
    fma \n + 2
.endm
.macro weights n, vector, offset, before
    ldr d\vector, [x3, \offset]
    .ifnb \before
    ins v\before\().d[1], x13
    .endif
    fma \n
    ldr x13, [x3, \offset + 8]
    fma \n + 1
    fma \n + 2
.endm

// Four inputs of 8 rows. \ahead is 1 where four more follow.
.macro four_of_8 ahead
    fma 0
    row 1, 5, 9, 4
    row 4, 6, 10, 5
    row 7, 7, 11, 6
    weights 10, 12, 0, 7
    weights 13, 13, 16, 12
    weights 16, 14, 32, 13
    weights 19, 15, 48, 14
.if \ahead
    weights 22, 8, 64, 15
    weights 25, 9, 80, 8
    ins v9.d[1], x13
    fmas 28, 29, 30
    weights 31, 10, 96
    weights 34, 11, 112, 10
    subs x12, x12, 1
    fma 37
    add x3, x3, 128
    fmas 38, 39, 40, 41, 42, 43, 44, 45, 46
    ins v11.d[1], x13
    fmas 47, 48, 49
    row 50, 0, 4
    row 53, 1, 5, 0
    row 56, 2, 6, 1
    row 59, 3, 7, 2
    ldr d4, [x8], 16
    ins v3.d[1], x13
    fma 62
    ldr x13, [x8, -8]
    fma 63
.else
    ins v15.d[1], x13
    add x3, x3, 64
    fmas 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42
    fmas 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63
.endif
.endm

// The same of 7 rows.
.macro four_of_7 ahead
    row 0, 4, 8, 3
    row 3, 5, 9, 4
    row 6, 6, 10, 5
    weights 9, 12, 0, 6
    weights 12, 13, 16, 12
    weights 15, 14, 32, 13
    weights 18, 15, 48, 14
.if \ahead
    weights 21, 8, 64, 15
    weights 24, 9, 80, 8
    weights 27, 10, 96, 9
    weights 30, 11, 112, 10
    subs x12, x12, 1
    fma 33
    add x3, x3, 128
    fmas 34, 35, 36, 37, 38, 39, 40
    ins v11.d[1], x13
    fmas 41, 42, 43
    row 44, 0, 4
    row 47, 1, 5, 0
    row 50, 2, 6, 1
    row 53, 3, 7, 2
.else
    ins v15.d[1], x13
    add x3, x3, 64
    fmas 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38
    fmas 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55
.endif
.endm

.macro tile name, rows
    .set ROWS, \rows
function \name
    stp d8, d9, [sp, -64]!
    stp d10, d11, [sp, 16]
    stp d12, d13, [sp, 32]
    stp d14, d15, [sp, 48]
    start
2:  // a range
    cbz x2, 7f
    next_range 2
    cbz x12, 5f
    ldr q0, [x4], 16
    ldr q1, [x5], 16
    ldp q8, q9, [x3]
    ldr q2, [x6], 16
    ldp q10, q11, [x3, 32]
    .if ROWS == 8
    ldr q3, [x7], 16
    ldr d4, [x8], 16
    ldr x13, [x8, -8]
    .else
    ldr d3, [x7], 16
    ldr x13, [x7, -8]
    .endif
    add x3, x3, 64
    subs x12, x12, 1
    b.eq 4f
    .p2align 4
3:  four_of_\rows 1
    b.ne 3b
4:  four_of_\rows 0

5:  // what is left of a range
    ands x15, x15, 3
    b.eq 2b
6:  ldr s0, [x4], 4
    ldr s1, [x5], 4
    ldr s2, [x6], 4
    ldr s3, [x7], 4
    ldp q8, q9, [x3], 32
    ldr s4, [x8], 4
    ldr s5, [x9], 4
    ldr s6, [x10], 4
    .if ROWS == 8
    ldr s7, [x11], 4
    .endif
    subs x15, x15, 1
    fmas 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
    .if ROWS == 8
    fmas 14, 15
    .endif
    b.ne 6b
    b 2b

7:  store_sums
    ldp d14, d15, [sp, 48]
    ldp d12, d13, [sp, 32]
    ldp d10, d11, [sp, 16]
    ldp d8, d9, [sp], 64
end \name
.endm

    tile shufflenet_f32_pw_8x8_neon_a53, 8
    tile shufflenet_f32_pw_7x8_neon_a53, 7

    .section .note.GNU-stack, "", %progbits
