// One tile of a pointwise convolution, 8 rows times 8 outputs, scheduled for Cortex-A55.
//
//     void shufflenet_f32_pw_8x8_neon_a55(const struct TileArgs *args);
//
// A Cortex-A55 starts two instructions a cycle in order, of which one may be a 128-bit multiply-add. A 128-bit
// load would take both places for two cycles; a 64-bit load, a load of a general register or the insertion of
// one takes the place beside a multiply-add. So everything is loaded in pieces of 64 bits, each beside a
// multiply-add that does not need it: 32 multiply-adds (two inputs of 8 rows) hide 8 loads of rows and 4 of
// weights (three instructions each).
//
//   x1, x2    the next range, and how many are left       v0 to v7     two inputs of each row
//   x3        weights                                     v8, v9       weights of the first input
//   x4 to x11 the rows' inputs                            v10, v11     weights of the second
//   x12       pairs of inputs left in the range           v16 to v31   sums, two vectors a row
//   x13, x14  upper halves of weights on their way        x15          the range's length
//   x16       bytes from row to row                       x17          row 0, column 0
//
// Within a pair of inputs, the second's weights are loaded while the first is multiplied, then the next
// pair's inputs (each row's once its last use is over) and first weights. The last pair of a range loads
// nothing ahead: nothing outside the range is read.

#define ARGS_INPUT 0
#define ARGS_INPUT_STRIDE 8
#define ARGS_RANGES 16
#define ARGS_RANGE_COUNT 24
#define ARGS_WEIGHTS 32
#define ARGS_BIAS 40
#define ARGS_OUTPUT 48
#define ARGS_OUTPUT_STRIDE 56
#define ARGS_RELU 64

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
    row 7, v30, v31, \lane, \w0, \w1
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
    row 7, v30, v31, 0, v8, v9
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
    row 7, v30, v31, 1, v10, v11
    ldr d7, [x11], 8
.else
    rows 1, v10, v11
.endif
.endm

.macro store sum0, sum1
    stp \sum0, \sum1, [x13]
    add x13, x13, x14
.endm

    .text
    .p2align 4
    .global shufflenet_f32_pw_8x8_neon_a55
    .hidden shufflenet_f32_pw_8x8_neon_a55
    .type shufflenet_f32_pw_8x8_neon_a55, %function
shufflenet_f32_pw_8x8_neon_a55:
    stp d8, d9, [sp, -32]!
    stp d10, d11, [sp, 16]
    ldp x17, x16, [x0, ARGS_INPUT]
    ldp x1, x2, [x0, ARGS_RANGES]
    ldp x3, x13, [x0, ARGS_WEIGHTS]
    lsl x16, x16, 2
    ldp q16, q17, [x13]             // every row's sums start at the bias
    .irp n, 18, 20, 22, 24, 26, 28, 30
    mov v\n\().16b, v16.16b
    .endr
    .irp n, 19, 21, 23, 25, 27, 29, 31
    mov v\n\().16b, v17.16b
    .endr

.Lrange:
    cbz x2, .Lfinish
    ldp x4, x15, [x1], 16
    sub x2, x2, 1
    add x4, x17, x4, lsl 2
    lsr x12, x15, 1
    add x5, x4, x16
    add x6, x5, x16
    add x7, x6, x16
    add x8, x7, x16
    add x9, x8, x16
    add x10, x9, x16
    add x11, x10, x16
    cbz x12, .Lodd

    ldr d0, [x4], 8
    ldr d1, [x5], 8
    ldr d2, [x6], 8
    ldr d3, [x7], 8
    ldp q8, q9, [x3], 32
    ldr d4, [x8], 8
    ldr d5, [x9], 8
    ldr d6, [x10], 8
    ldr d7, [x11], 8
    subs x12, x12, 1
    b.eq .Llast
    .p2align 4
.Lpair:
    pair 1
    b.ne .Lpair
.Llast:
    pair 0

.Lodd:
    tbz x15, 0, .Lrange
    ldr s0, [x4]
    ldr s1, [x5]
    ldr s2, [x6]
    ldr s3, [x7]
    ldp q8, q9, [x3], 32
    ldr s4, [x8]
    ldr s5, [x9]
    ldr s6, [x10]
    ldr s7, [x11]
    rows 0, v8, v9
    b .Lrange

.Lfinish:
    ldp x13, x14, [x0, ARGS_OUTPUT]
    ldrb w15, [x0, ARGS_RELU]
    lsl x14, x14, 2
    cbz w15, .Lstore
    movi v0.4s, 0
    // The number where the other is NaN, and +0 of a pair of zeros.
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fmaxnm v\n\().4s, v\n\().4s, v0.4s
    .endr
.Lstore:
    store q16, q17
    store q18, q19
    store q20, q21
    store q22, q23
    store q24, q25
    store q26, q27
    store q28, q29
    store q30, q31
    ldp d10, d11, [sp, 16]
    ldp d8, d9, [sp], 32
    ret
    .size shufflenet_f32_pw_8x8_neon_a55, . - shufflenet_f32_pw_8x8_neon_a55

    .section .note.GNU-stack, "", %progbits
