package main

// The vector kernels for NEON, instruction by instruction those for AVX2 with two
// registers for one: the same lanes, the same order of sums, so the same bits.
func (g *neon) vectorKernels() {
	for _, source := range []string{reductions, updates, selections, functions} {
		g.p("%s", source[:len(source)-1])
	}
}

// hsum adds the eight lanes of V0 and V1 into F0, hsumD the four of V16 and V17.
const (
	hsum = `	VFADD V1.S4, V0.S4, V0.S4
	VEXT $8, V0.B16, V0.B16, V1.B16
	VFADD V1.S4, V0.S4, V0.S4
	VFADDP V0.S2, F0
`
	hsumD = `	VFADD V17.D2, V16.D2, V16.D2
	VFADDP V16.D2, F0
`
)

// widen turns the eight numbers at R0 into float64 in V4–V7.
const widen = `	VLD1.P 32(R0), [V2.S4, V3.S4]
	VFCVTL V2.S2, V4.D2
	VFCVTL2 V2.S4, V5.D2
	VFCVTL V3.S2, V6.D2
	VFCVTL2 V3.S4, V7.D2
`

const clearSums = `	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
`

// sumOfSums adds V18 to V16 and V19 to V17, then all lanes.
const sumOfSums = `	VFADD V18.D2, V16.D2, V16.D2
	VFADD V19.D2, V17.D2, V17.D2
` + hsumD

const reductions = `
// func dotVector(a, b *float32, n int) float32
TEXT ·dotVector(SB), NOSPLIT, $0-28
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	SUBS $32, R2
	BLT rest

loop:
	VLD1.P 64(R0), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1.P 64(R0), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P 64(R1), [V28.S4, V29.S4, V30.S4, V31.S4]
	VFMLA V24.S4, V16.S4, V0.S4
	VFMLA V25.S4, V17.S4, V1.S4
	VFMLA V26.S4, V18.S4, V2.S4
	VFMLA V27.S4, V19.S4, V3.S4
	VFMLA V28.S4, V20.S4, V4.S4
	VFMLA V29.S4, V21.S4, V5.S4
	VFMLA V30.S4, V22.S4, V6.S4
	VFMLA V31.S4, V23.S4, V7.S4
	SUBS $32, R2
	BGE loop

rest:
	ADDS $32, R2
	BEQ done

eight:
	VLD1.P 32(R0), [V16.S4, V17.S4]
	VLD1.P 32(R1), [V24.S4, V25.S4]
	VFMLA V24.S4, V16.S4, V0.S4
	VFMLA V25.S4, V17.S4, V1.S4
	SUBS $8, R2
	BNE eight

done:
	VFADD V2.S4, V0.S4, V0.S4
	VFADD V3.S4, V1.S4, V1.S4
	VFADD V6.S4, V4.S4, V4.S4
	VFADD V7.S4, V5.S4, V5.S4
	VFADD V4.S4, V0.S4, V0.S4
	VFADD V5.S4, V1.S4, V1.S4
` + hsum + `	FMOVS F0, ret+24(FP)
	RET

// func sumSquaresVector(x *float32, shift float64, n int) float64
TEXT ·sumSquaresVector(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	FMOVD shift+8(FP), F20
	VDUP V20.D[0], V20.D2
	MOVD n+16(FP), R1
` + clearSums + `
eight:
` + widen + `	VFSUB V20.D2, V4.D2, V4.D2
	VFSUB V20.D2, V5.D2, V5.D2
	VFSUB V20.D2, V6.D2, V6.D2
	VFSUB V20.D2, V7.D2, V7.D2
	VFMLA V4.D2, V4.D2, V16.D2
	VFMLA V5.D2, V5.D2, V17.D2
	VFMLA V6.D2, V6.D2, V18.D2
	VFMLA V7.D2, V7.D2, V19.D2
	SUBS $8, R1
	BNE eight
` + sumOfSums + `	FMOVD F0, ret+24(FP)
	RET

// func sumVector(x *float32, n int) float64
TEXT ·sumVector(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
` + clearSums + `
eight:
` + widen + `	VFADD V4.D2, V16.D2, V16.D2
	VFADD V5.D2, V17.D2, V17.D2
	VFADD V6.D2, V18.D2, V18.D2
	VFADD V7.D2, V19.D2, V19.D2
	SUBS $8, R1
	BNE eight
` + sumOfSums + `	FMOVD F0, ret+16(FP)
	RET
`

const updates = `
// func axpyVector(alpha float32, x, y *float32, n int)
TEXT ·axpyVector(SB), NOSPLIT, $0-32
	FMOVS alpha+0(FP), F16
	VDUP V16.S[0], V16.S4
	MOVD x+8(FP), R0
	MOVD y+16(FP), R1
	MOVD n+24(FP), R2
	SUBS $16, R2
	BLT rest

loop:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	VFMLA V0.S4, V16.S4, V4.S4
	VFMLA V1.S4, V16.S4, V5.S4
	VFMLA V2.S4, V16.S4, V6.S4
	VFMLA V3.S4, V16.S4, V7.S4
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R1)
	SUBS $16, R2
	BGE loop

rest:
	ADDS $16, R2
	BEQ done
	VLD1 (R0), [V0.S4, V1.S4]
	VLD1 (R1), [V4.S4, V5.S4]
	VFMLA V0.S4, V16.S4, V4.S4
	VFMLA V1.S4, V16.S4, V5.S4
	VST1 [V4.S4, V5.S4], (R1)

done:
	RET

// func scaleVector(alpha float32, x *float32, n int)
TEXT ·scaleVector(SB), NOSPLIT, $0-24
	FMOVS alpha+0(FP), F16
	VDUP V16.S[0], V16.S4
	MOVD x+8(FP), R0
	MOVD n+16(FP), R1

eight:
	VLD1 (R0), [V0.S4, V1.S4]
	VFMUL V16.S4, V0.S4, V0.S4
	VFMUL V16.S4, V1.S4, V1.S4
	VST1.P [V0.S4, V1.S4], 32(R0)
	SUBS $8, R1
	BNE eight
	RET

// func biasLeakyVector(row, bias *float32, slope float32, n int)
TEXT ·biasLeakyVector(SB), NOSPLIT, $0-32
	MOVD row+0(FP), R0
	MOVD bias+8(FP), R1
	FMOVS slope+16(FP), F16
	VDUP V16.S[0], V16.S4
	MOVD n+24(FP), R2
	VEOR V17.B16, V17.B16, V17.B16

eight:
	VLD1 (R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	VFADD V2.S4, V0.S4, V0.S4
	VFADD V3.S4, V1.S4, V1.S4
	VFMUL V16.S4, V0.S4, V2.S4
	VFMUL V16.S4, V1.S4, V3.S4
	VFCMGT V17.S4, V0.S4, V4.S4
	VFCMGT V17.S4, V1.S4, V5.S4
	VBIT V4.B16, V0.B16, V2.B16
	VBIT V5.B16, V1.B16, V3.B16
	VST1.P [V2.S4, V3.S4], 32(R0)
	SUBS $8, R2
	BNE eight
	RET

// func leakyGradVector(dst, y, dy *float32, slope float32, n int)
TEXT ·leakyGradVector(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD y+8(FP), R1
	MOVD dy+16(FP), R2
	FMOVS slope+24(FP), F16
	VDUP V16.S[0], V16.S4
	MOVD n+32(FP), R3
	VEOR V17.B16, V17.B16, V17.B16

eight:
	VLD1.P 32(R1), [V4.S4, V5.S4]
	VLD1.P 32(R2), [V0.S4, V1.S4]
	VFMUL V16.S4, V0.S4, V2.S4
	VFMUL V16.S4, V1.S4, V3.S4
	VFCMGT V17.S4, V4.S4, V4.S4
	VFCMGT V17.S4, V5.S4, V5.S4
	VBIT V4.B16, V0.B16, V2.B16
	VBIT V5.B16, V1.B16, V3.B16
	VST1.P [V2.S4, V3.S4], 32(R0)
	SUBS $8, R3
	BNE eight
	RET

// func adamVector(param, grad, m, v *float32, k *adamConstants, n int)
TEXT ·adamVector(SB), NOSPLIT, $0-48
	MOVD param+0(FP), R0
	MOVD grad+8(FP), R1
	MOVD m+16(FP), R2
	MOVD v+24(FP), R3
	MOVD k+32(FP), R4
	MOVD n+40(FP), R5
	FMOVS adamConstants_b1(R4), F24
	VDUP V24.S[0], V24.S4
	FMOVS adamConstants_a1(R4), F25
	VDUP V25.S[0], V25.S4
	FMOVS adamConstants_b2(R4), F26
	VDUP V26.S[0], V26.S4
	FMOVS adamConstants_a2(R4), F27
	VDUP V27.S[0], V27.S4
	FMOVS adamConstants_step(R4), F28
	VDUP V28.S[0], V28.S4
	FMOVS adamConstants_root(R4), F29
	VDUP V29.S[0], V29.S4
	FMOVS adamConstants_eps(R4), F30
	VDUP V30.S[0], V30.S4
	FMOVS adamConstants_decay(R4), F31
	VDUP V31.S[0], V31.S4

four:
	VLD1 (R0), [V0.S4]
	VLD1.P 16(R1), [V1.S4]
	VFMLA V31.S4, V0.S4, V1.S4  // g = grad + decay·param
	VLD1 (R2), [V2.S4]
	VFMUL V24.S4, V2.S4, V2.S4
	VFMLA V25.S4, V1.S4, V2.S4  // m
	VST1.P [V2.S4], 16(R2)
	VLD1 (R3), [V4.S4]
	VFMUL V1.S4, V27.S4, V3.S4
	VFMUL V1.S4, V3.S4, V3.S4
	VFMLA V26.S4, V4.S4, V3.S4  // v
	VST1.P [V3.S4], 16(R3)
	VFSQRT V3.S4, V3.S4
	VFDIV V29.S4, V3.S4, V3.S4
	VFADD V30.S4, V3.S4, V3.S4
	VFMUL V28.S4, V2.S4, V2.S4
	VFDIV V3.S4, V2.S4, V2.S4
	VFSUB V2.S4, V0.S4, V0.S4
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R5
	BNE four
	RET

// func layerNormVector(dst, x, gamma, beta *float32, mean, scale float32, n int)
TEXT ·layerNormVector(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD gamma+16(FP), R2
	MOVD beta+24(FP), R3
	FMOVS mean+32(FP), F16
	VDUP V16.S[0], V16.S4
	FMOVS scale+36(FP), F17
	VDUP V17.S[0], V17.S4
	MOVD n+40(FP), R4

eight:
	VLD1.P 32(R1), [V0.S4, V1.S4]
	VLD1.P 32(R2), [V2.S4, V3.S4]
	VLD1.P 32(R3), [V4.S4, V5.S4]
	VFSUB V16.S4, V0.S4, V0.S4
	VFSUB V16.S4, V1.S4, V1.S4
	VFMUL V17.S4, V0.S4, V0.S4
	VFMUL V17.S4, V1.S4, V1.S4
	VFMLA V2.S4, V0.S4, V4.S4
	VFMLA V3.S4, V1.S4, V5.S4
	VST1.P [V4.S4, V5.S4], 32(R0)
	SUBS $8, R4
	BNE eight
	RET
`
