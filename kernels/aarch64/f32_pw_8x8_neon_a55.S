// Tiles of a pointwise convolution scheduled for Cortex-A55.
//
// A Cortex-A55 starts two instructions a cycle in order, of which one may be a 128-bit multiply-add. A 128-bit
// load would take both places for two cycles; a 64-bit load, a load of a general register or the insertion of
// one takes the place beside a multiply-add. So everything is loaded in pieces of 64 bits, each beside a
// multiply-add that does not need it: 32 multiply-adds (two inputs of 8 rows) hide 8 loads of rows and 4 of
// weights (three instructions each).
//
// Within a pair of inputs, the second's weights are loaded while the first is multiplied, then the next
// pair's inputs (each row's once its last use is over) and first weights. The last pair of a range loads
// nothing ahead: nothing outside the range is read.

#include "f32_pw_8x8.h"

// Row \row's input in lane \lane times both vectors of weights, with an instruction beside each.
.macro row row, sum0, sum1, lane, w0, w1, beside0:vararg
    fmla \sum0\().4s, \w0\().4s, v\row\().s[\lane]
    \beside0
    fmla \sum1\().4s, \w1\().4s, v\row\().s[\lane]
.endm

// One input of all rows, with nothing beside.
.macro rows lane, w0, w1
    row 0, v16, v17, \lane, \w0, \w1
    row 1, v18, v19, \lane, \w0, \w1
    row 2, v20, v21, \lane, \w0, \w1
    row 3, v22, v23, \lane, \w0, \w1
    row 4, v24, v25, \lane, \w0, \w1
    row 5, v26, v27, \lane, \w0, \w1
    row 6, v28, v29, \lane, \w0, \w1
    .if ROWS == 8
    row 7, v30, v31, \lane, \w0, \w1
    .endif
.endm

// Two inputs of all rows. \ahead is 1 where the next pair is loaded ahead.
.macro pair ahead
    row 0, v16, v17, 0, v8, v9,   ldr d10, [x3]
    ldr x13, [x3, 8]
    row 1, v18, v19, 0, v8, v9,   ldr d11, [x3, 16]
    ldr x14, [x3, 24]
    row 2, v20, v21, 0, v8, v9,   ins v10.d[1], x13
    add x3, x3, 32
    row 3, v22, v23, 0, v8, v9,   ins v11.d[1], x14
    row 4, v24, v25, 0, v8, v9,   subs x12, x12, 1
    row 5, v26, v27, 0, v8, v9
    row 6, v28, v29, 0, v8, v9
    .if ROWS == 8
    row 7, v30, v31, 0, v8, v9
    .endif
.if \ahead
    row 0, v16, v17, 1, v10, v11, ldr d8, [x3]
    ldr d0, [x4], 8
    row 1, v18, v19, 1, v10, v11, ldr x13, [x3, 8]
    ldr d1, [x5], 8
    row 2, v20, v21, 1, v10, v11, ldr d9, [x3, 16]
    ldr d2, [x6], 8
    row 3, v22, v23, 1, v10, v11, ldr x14, [x3, 24]
    ldr d3, [x7], 8
    row 4, v24, v25, 1, v10, v11, ins v8.d[1], x13
    ldr d4, [x8], 8
    row 5, v26, v27, 1, v10, v11, ins v9.d[1], x14
    ldr d5, [x9], 8
    row 6, v28, v29, 1, v10, v11, add x3, x3, 32
    ldr d6, [x10], 8
    .if ROWS == 8
    row 7, v30, v31, 1, v10, v11
    ldr d7, [x11], 8
    .endif
.else
    rows 1, v10, v11
.endif
.endm

.macro tile name, rows
    .set ROWS, \rows
function \name
    stp d8, d9, [sp, -32]!
    stp d10, d11, [sp, 16]
    start
2:  // a range
    cbz x2, 6f
    next_range 1
    cbz x12, 5f
    ldr d0, [x4], 8
    ldr d1, [x5], 8
    ldr d2, [x6], 8
    ldr d3, [x7], 8
    ldp q8, q9, [x3], 32
    ldr d4, [x8], 8
    ldr d5, [x9], 8
    ldr d6, [x10], 8
    .if ROWS == 8
    ldr d7, [x11], 8
    .endif
    subs x12, x12, 1
    b.eq 4f
    .p2align 4
3:  pair 1
    b.ne 3b
4:  pair 0

5:  // an input that is left of a range
    tbz x15, 0, 2b
    ldr s0, [x4]
    ldr s1, [x5]
    ldr s2, [x6]
    ldr s3, [x7]
    ldp q8, q9, [x3], 32
    ldr s4, [x8]
    ldr s5, [x9]
    ldr s6, [x10]
    .if ROWS == 8
    ldr s7, [x11]
    .endif
    rows 0, v8, v9
    b 2b

6:  store_sums
    ldp d10, d11, [sp, 16]
    ldp d8, d9, [sp], 32
end \name
.endm

    tile shufflenet_f32_pw_8x8_neon_a55, 8
    tile shufflenet_f32_pw_7x8_neon_a55, 7

    .section .note.GNU-stack, "", %progbits
