#include "go_asm.h"
#include "textflag.h"

// EXP replaces Y0 by e^Y0. R8 points to the mathTable; Y1–Y3 are overwritten.
// e^x = 2^n·e^r with n = round(x/ln 2) and |r| ≤ ln 2 / 2; 2^n in two factors, so
// that results below the normal range lose bits gradually. NaN stays NaN.
#define EXP \
	VMOVUPS mathTable_high(R8), Y1       \
	VMINPS Y0, Y1, Y0                    \
	VMOVUPS mathTable_low(R8), Y1        \
	VMAXPS Y0, Y1, Y0                    \
	VMULPS mathTable_log2e(R8), Y0, Y1   \
	VROUNDPS $0, Y1, Y1                  \
	VFNMADD231PS mathTable_ln2a(R8), Y1, Y0 \
	VFNMADD231PS mathTable_ln2b(R8), Y1, Y0 \
	VMOVUPS mathTable_taylor(R8), Y2     \
	VFMADD213PS mathTable_taylor+32(R8), Y0, Y2  \
	VFMADD213PS mathTable_taylor+64(R8), Y0, Y2  \
	VFMADD213PS mathTable_taylor+96(R8), Y0, Y2  \
	VFMADD213PS mathTable_taylor+128(R8), Y0, Y2 \
	VFMADD213PS mathTable_taylor+160(R8), Y0, Y2 \
	VFMADD213PS mathTable_taylor+192(R8), Y0, Y2 \
	VFMADD213PS mathTable_taylor+224(R8), Y0, Y2 \
	VCVTPS2DQ Y1, Y1                     \
	VPSRAD $1, Y1, Y3                    \
	VPSUBD Y3, Y1, Y1                    \
	VPSLLD $23, Y1, Y1                   \
	VPSLLD $23, Y3, Y3                   \
	VPADDD mathTable_one(R8), Y1, Y1     \
	VPADDD mathTable_one(R8), Y3, Y3     \
	VMULPS Y1, Y2, Y2                    \
	VMULPS Y3, Y2, Y0

// func expVector(x *float32, shift float32, n int, t *mathTable)
TEXT ·expVector(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	VBROADCASTSS shift+8(FP), Y15
	MOVQ n+16(FP), CX
	MOVQ t+24(FP), R8

loop:
	VMOVUPS (DI), Y0
	VSUBPS Y15, Y0, Y0
	EXP
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNE loop
	VZEROUPPER
	RET

// func geluVector(x *float32, n int, t *mathTable)
// x·Φ(x) with 2Φ(-|x|) = erfc(z) ≈ (a1·t + … + a5·t⁵)·e^(-z²), z = |x|/√2,
// t = 1/(1 + p·z): Abramowitz and Stegun 7.1.26.
TEXT ·geluVector(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ t+16(FP), R8

loop:
	VMOVUPS (DI), Y10
	VMULPS mathTable_rootHalf(R8), Y10, Y11
	VANDPS mathTable_abs(R8), Y11, Y11 // z
	VMULPS Y11, Y11, Y0
	VXORPS mathTable_sign(R8), Y0, Y0
	EXP
	VMOVUPS mathTable_one(R8), Y12
	VMOVAPS Y12, Y13
	VFMADD231PS mathTable_erfP(R8), Y11, Y13
	VDIVPS Y13, Y12, Y13 // t
	VMOVUPS mathTable_erfA(R8), Y14
	VFMADD213PS mathTable_erfA+32(R8), Y13, Y14
	VFMADD213PS mathTable_erfA+64(R8), Y13, Y14
	VFMADD213PS mathTable_erfA+96(R8), Y13, Y14
	VFMADD213PS mathTable_erfA+128(R8), Y13, Y14
	VMULPS Y13, Y14, Y14
	VMULPS Y0, Y14, Y14
	VMULPS mathTable_half(R8), Y14, Y14 // Φ(-|x|)
	VSUBPS Y14, Y12, Y12
	VBLENDVPS Y10, Y14, Y12, Y12 // by the sign of x
	VMULPS Y10, Y12, Y12
	VMOVUPS Y12, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNE loop
	VZEROUPPER
	RET

// func maxVector(x *float32, n int) float32
TEXT ·maxVector(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVUPS (SI), Y0

loop:
	VMAXPS (SI), Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JNE loop
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VMOVHLPS X0, X0, X1
	VMAXPS X1, X0, X0
	VMOVSHDUP X0, X1
	VMAXSS X1, X0, X0
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

// func layerNormVector(dst, x, gamma, beta *float32, mean, scale float32, n int)
TEXT ·layerNormVector(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gamma+16(FP), DX
	MOVQ beta+24(FP), BX
	VBROADCASTSS mean+32(FP), Y0
	VBROADCASTSS scale+36(FP), Y1
	MOVQ n+40(FP), CX

loop:
	VMOVUPS (SI), Y2
	VSUBPS Y0, Y2, Y2
	VMULPS Y1, Y2, Y2
	VMOVUPS (BX), Y3
	VFMADD231PS (DX), Y2, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, BX
	SUBQ $8, CX
	JNE loop
	VZEROUPPER
	RET
