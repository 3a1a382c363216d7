package main

// larger keeps in V0 the larger of V0 and V1, lane by lane.
const larger = `	VFCMGT V1.S4, V0.S4, V4.S4
	VBIF V4.B16, V1.B16, V0.B16
`

const selections = `
// func maxVector(x *float32, n int) float32
TEXT ·maxVector(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	VLD1 (R0), [V0.S4, V1.S4]

eight:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VFCMGT V2.S4, V0.S4, V4.S4
	VFCMGT V3.S4, V1.S4, V5.S4
	VBIF V4.B16, V2.B16, V0.B16
	VBIF V5.B16, V3.B16, V1.B16
	SUBS $8, R1
	BNE eight
` + larger + `	VEXT $8, V0.B16, V0.B16, V1.B16
` + larger + `	VEXT $4, V0.B16, V0.B16, V1.B16
` + larger + `	FMOVS F0, ret+16(FP)
	RET

// func maxUint32Vector(x *int32, n int) uint32
TEXT ·maxUint32Vector(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16

eight:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VUMAX V2.S4, V0.S4, V0.S4
	VUMAX V3.S4, V1.S4, V1.S4
	SUBS $8, R1
	BNE eight
	VUMAX V1.S4, V0.S4, V0.S4
	VEXT $8, V0.B16, V0.B16, V1.B16
	VUMAX V1.S4, V0.S4, V0.S4
	VEXT $4, V0.B16, V0.B16, V1.B16
	VUMAX V1.S4, V0.S4, V0.S4
	VMOV V0.S[0], R0
	MOVW R0, ret+16(FP)
	RET

// func filterVector(x *float32, n int, base int32, threshold float32, out *int32) int
// The masks of 16 comparisons shrink to 16 times four bits, of which one is kept.
TEXT ·filterVector(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVW base+16(FP), R2
	FMOVS threshold+20(FP), F16
	VDUP V16.S[0], V16.S4
	MOVD out+24(FP), R3
	MOVD R3, R4

loop:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VFCMGT V16.S4, V0.S4, V0.S4
	VFCMGT V16.S4, V1.S4, V1.S4
	VFCMGT V16.S4, V2.S4, V2.S4
	VFCMGT V16.S4, V3.S4, V3.S4
	VUZP1 V1.H8, V0.H8, V0.H8
	VUZP1 V3.H8, V2.H8, V2.H8
	VUZP1 V2.B16, V0.B16, V0.B16
	VSHRN $4, V0.H8, V0.B8
	VMOV V0.D[0], R5
	AND $0x1111111111111111, R5
	CBZ R5, next

bit:
	RBIT R5, R6
	CLZ R6, R6
	ADD R6>>2, R2, R6
	MOVW.P R6, 4(R3)
	SUB $1, R5, R6
	AND R6, R5
	CBNZ R5, bit

next:
	ADD $16, R2
	SUBS $16, R1
	BNE loop
	SUB R4, R3
	LSR $2, R3
	MOVD R3, ret+32(FP)
	RET

// func groupMaxVector(x *float32, blocks, depth int, out *float32)
// Compared and chosen, since FMAX and FMAXNM do not pass over every NaN.
TEXT ·groupMaxVector(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD blocks+8(FP), R1
	MOVD depth+16(FP), R2
	MOVD out+24(FP), R3
	MOVD $0xFF800000, R4 // -Inf
	VDUP R4, V16.S4

block:
	VORR V16.B16, V16.B16, V0.B16
	VORR V16.B16, V16.B16, V1.B16
	VORR V16.B16, V16.B16, V2.B16
	VORR V16.B16, V16.B16, V3.B16
	MOVD R2, R4

vector:
	VLD1.P 64(R0), [V4.S4, V5.S4, V6.S4, V7.S4]
	VFCMGT V0.S4, V4.S4, V8.S4
	VFCMGT V1.S4, V5.S4, V9.S4
	VFCMGT V2.S4, V6.S4, V10.S4
	VFCMGT V3.S4, V7.S4, V11.S4
	VBIT V8.B16, V4.B16, V0.B16
	VBIT V9.B16, V5.B16, V1.B16
	VBIT V10.B16, V6.B16, V2.B16
	VBIT V11.B16, V7.B16, V3.B16
	SUBS $1, R4
	BNE vector
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R3)
	SUBS $1, R1
	BNE block
	RET

// func countAtLeastVector(x *float32, n int, threshold float32) int
TEXT ·countAtLeastVector(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	FMOVS threshold+16(FP), F16
	VDUP V16.S[0], V16.S4
	VEOR V0.B16, V0.B16, V0.B16

eight:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VFCMGE V16.S4, V2.S4, V2.S4
	VFCMGE V16.S4, V3.S4, V3.S4
	VSUB V2.S4, V0.S4, V0.S4
	VSUB V3.S4, V0.S4, V0.S4
	SUBS $8, R1
	BNE eight
	VADDV V0.S4, V0
	VMOV V0.S[0], R0
	MOVD R0, ret+24(FP)
	RET
`

// expTable loads the constants of exp from the mathTable at R8 into V16–V29.
const expTable = `	FMOVQ mathTable_high(R8), F16
	FMOVQ mathTable_low(R8), F17
	FMOVQ mathTable_log2e(R8), F18
	FMOVQ mathTable_ln2a(R8), F19
	FMOVQ mathTable_ln2b(R8), F20
	FMOVQ mathTable_taylor(R8), F21
	FMOVQ mathTable_taylor+32(R8), F22
	FMOVQ mathTable_taylor+64(R8), F23
	FMOVQ mathTable_taylor+96(R8), F24
	FMOVQ mathTable_taylor+128(R8), F25
	FMOVQ mathTable_taylor+160(R8), F26
	FMOVQ mathTable_taylor+192(R8), F27
	FMOVQ mathTable_taylor+224(R8), F28
	FMOVQ mathTable_one(R8), F29
`

// exp replaces V0 by e^V0 as the macro EXP for AVX2 does; V1–V3 are overwritten.
const exp = `	VFMIN V16.S4, V0.S4, V0.S4
	VFMAX V17.S4, V0.S4, V0.S4
	VFMUL V18.S4, V0.S4, V1.S4
	VFRINTN V1.S4, V1.S4
	VFMLS V19.S4, V1.S4, V0.S4
	VFMLS V20.S4, V1.S4, V0.S4
	VORR V22.B16, V22.B16, V3.B16
	VFMLA V21.S4, V0.S4, V3.S4
	VORR V23.B16, V23.B16, V2.B16
	VFMLA V3.S4, V0.S4, V2.S4
	VORR V24.B16, V24.B16, V3.B16
	VFMLA V2.S4, V0.S4, V3.S4
	VORR V25.B16, V25.B16, V2.B16
	VFMLA V3.S4, V0.S4, V2.S4
	VORR V26.B16, V26.B16, V3.B16
	VFMLA V2.S4, V0.S4, V3.S4
	VORR V27.B16, V27.B16, V2.B16
	VFMLA V3.S4, V0.S4, V2.S4
	VORR V28.B16, V28.B16, V3.B16
	VFMLA V2.S4, V0.S4, V3.S4
	VFCVTNS V1.S4, V1.S4
	VSSHR $1, V1.S4, V2.S4
	VSUB V2.S4, V1.S4, V1.S4
	VSHL $23, V1.S4, V1.S4
	VSHL $23, V2.S4, V2.S4
	VADD V29.S4, V1.S4, V1.S4
	VADD V29.S4, V2.S4, V2.S4
	VFMUL V1.S4, V3.S4, V3.S4
	VFMUL V2.S4, V3.S4, V0.S4
`

const functions = `
// func expVector(x *float32, shift float32, n int, t *mathTable)
TEXT ·expVector(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	FMOVS shift+8(FP), F30
	VDUP V30.S[0], V30.S4
	MOVD n+16(FP), R1
	MOVD t+24(FP), R8
` + expTable + `
four:
	VLD1 (R0), [V0.S4]
	VFSUB V30.S4, V0.S4, V0.S4
` + exp + `	VST1.P [V0.S4], 16(R0)
	SUBS $4, R1
	BNE four
	RET

// func geluVector(x *float32, n int, t *mathTable)
// The formula is that of geluVector for AVX2.
TEXT ·geluVector(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVD t+16(FP), R8
` + expTable + `	FMOVQ mathTable_rootHalf(R8), F30
	FMOVQ mathTable_half(R8), F31
	FMOVQ mathTable_erfP(R8), F4
	FMOVQ mathTable_erfA(R8), F5
	FMOVQ mathTable_erfA+32(R8), F6
	FMOVQ mathTable_erfA+64(R8), F7
	FMOVQ mathTable_erfA+96(R8), F8
	FMOVQ mathTable_erfA+128(R8), F9

four:
	VLD1 (R0), [V10.S4]
	VFMUL V30.S4, V10.S4, V11.S4
	VFABS V11.S4, V11.S4 // z
	VFMUL V11.S4, V11.S4, V0.S4
	VFNEG V0.S4, V0.S4
` + exp + `	VORR V29.B16, V29.B16, V13.B16
	VFMLA V4.S4, V11.S4, V13.S4
	VFDIV V13.S4, V29.S4, V13.S4 // t
	VORR V6.B16, V6.B16, V14.B16
	VFMLA V5.S4, V13.S4, V14.S4
	VORR V7.B16, V7.B16, V15.B16
	VFMLA V14.S4, V13.S4, V15.S4
	VORR V8.B16, V8.B16, V14.B16
	VFMLA V15.S4, V13.S4, V14.S4
	VORR V9.B16, V9.B16, V15.B16
	VFMLA V14.S4, V13.S4, V15.S4
	VFMUL V13.S4, V15.S4, V14.S4
	VFMUL V0.S4, V14.S4, V14.S4
	VFMUL V31.S4, V14.S4, V14.S4 // Φ(-|x|)
	VFSUB V14.S4, V29.S4, V15.S4
	VSSHR $31, V10.S4, V12.S4 // all ones where x < 0
	VBIT V12.B16, V14.B16, V15.B16
	VFMUL V10.S4, V15.S4, V15.S4
	VST1.P [V15.S4], 16(R0)
	SUBS $4, R1
	BNE four
	RET
`
