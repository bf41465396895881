// What tiles of 8 or 7 rows times 8 outputs have in common. ROWS is how many.
//
//     void shufflenet_f32_pw_<rows>x8_neon_<core>(const struct TileArgs *args);
//
//   x0        the arguments (`struct TileArgs`)           v0 to v7     inputs of each row
//   x1, x2    the next range, and how many are left       v8 to v15    weights
//   x3        weights                                     v16 to v31   sums, two vectors a row
//   x4 to x11 the rows' inputs                            x13, x14     upper halves on their way
//   x12       groups of inputs left in the range          x15          the range's length
//   x16       bytes from row to row                       x17          row 0, column 0

#define ARGS_INPUT 0
#define ARGS_INPUT_STRIDE 8
#define ARGS_RANGES 16
#define ARGS_RANGE_COUNT 24
#define ARGS_WEIGHTS 32
#define ARGS_BIAS 40
#define ARGS_OUTPUT 48
#define ARGS_OUTPUT_STRIDE 56
#define ARGS_RELU 64
#define ARGS_SUM 65

.macro function name
    .text
    .p2align 4
    .global \name
    .hidden \name
    .type \name, %function
\name:
.endm

.macro end name
    ret
    .size \name, . - \name
.endm

.macro copy to, from
    mov v\to\().16b, v\from\().16b
.endm

// Every row's sums start at the bias.
.macro start
    ldp x17, x16, [x0, ARGS_INPUT]
    ldp x1, x2, [x0, ARGS_RANGES]
    ldp x3, x13, [x0, ARGS_WEIGHTS]
    lsl x16, x16, 2
    ldp q16, q17, [x13]
    .irp n, 18, 20, 22, 24, 26, 28, 30
    copy \n, 16
    .endr
    .irp n, 19, 21, 23, 25, 27, 29, 31
    copy \n, 17
    .endr
.endm

// The next range of inputs; x12 is how many groups of 1 << \shift it has.
.macro next_range shift
    ldp x4, x15, [x1], 16
    sub x2, x2, 1
    add x4, x17, x4, lsl 2
    lsr x12, x15, \shift
    add x5, x4, x16
    add x6, x5, x16
    add x7, x6, x16
    add x8, x7, x16
    add x9, x8, x16
    add x10, x9, x16
    .if ROWS == 8
    add x11, x10, x16
    .endif
.endm

// The number where the other is NaN, and +0 of a pair of zeros.
.macro relu sum, zero
    fmaxnm v\sum\().4s, v\sum\().4s, v\zero\().4s
.endm

.macro store_row sum0, sum1
    stp q\sum0, q\sum1, [x13]
    add x13, x13, x14
.endm

.macro add_row sum0, sum1
    fadd v0.4s, v0.4s, v\sum0\().4s
    fadd v1.4s, v1.4s, v\sum1\().4s
.endm

.macro for_all_rows do
    \do 16, 17
    \do 18, 19
    \do 20, 21
    \do 22, 23
    \do 24, 25
    \do 26, 27
    \do 28, 29
    .if ROWS == 8
    \do 30, 31
    .endif
.endm

.macro store_sums
    ldp x13, x14, [x0, ARGS_OUTPUT]
    ldrb w15, [x0, ARGS_RELU]
    lsl x14, x14, 2
    cbz w15, 1f
    movi v0.4s, 0
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    relu \n, 0
    .endr
1:  ldrb w15, [x0, ARGS_SUM]
    cbnz w15, 8f
    for_all_rows store_row
    b 9f
8:  movi v0.4s, 0
    movi v1.4s, 0
    for_all_rows add_row
    stp q0, q1, [x13]
9:
.endm
