#include "go_asm.h"
#include "textflag.h"

// HSUM adds the eight lanes of Yn (low half Xn) into lane 0 of Xn: fixed order.
#define HSUM(Y, X, XT) \
	VEXTRACTF128 $1, Y, XT \
	VADDPS XT, X, X        \
	VMOVHLPS X, X, XT      \
	VADDPS XT, X, X        \
	VMOVSHDUP X, XT        \
	VADDSS XT, X, X

// HSUMD adds the four float64 lanes of Y (low half X) into lane 0 of X.
#define HSUMD(Y, X, XT) \
	VEXTRACTF128 $1, Y, XT \
	VADDPD XT, X, X        \
	VUNPCKHPD X, X, XT     \
	VADDSD XT, X, X

// func dotVector(a, b *float32, n int) float32
TEXT ·dotVector(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	VXORPS X0, X0, X0
	VXORPS X1, X1, X1
	VXORPS X2, X2, X2
	VXORPS X3, X3, X3
	SUBQ $32, CX
	JLT rest

loop:
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMOVUPS 64(SI), Y6
	VMOVUPS 96(SI), Y7
	VFMADD231PS (DI), Y4, Y0
	VFMADD231PS 32(DI), Y5, Y1
	VFMADD231PS 64(DI), Y6, Y2
	VFMADD231PS 96(DI), Y7, Y3
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JGE loop

rest:
	ADDQ $32, CX
	JEQ done

eight:
	VMOVUPS (SI), Y4
	VFMADD231PS (DI), Y4, Y0
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNE eight

done:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	HSUM(Y0, X0, X1)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func axpyVector(alpha float32, x, y *float32, n int)
TEXT ·axpyVector(SB), NOSPLIT, $0-32
	VBROADCASTSS alpha+0(FP), Y0
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ n+24(FP), CX
	SUBQ $32, CX
	JLT rest

loop:
	VMOVUPS (DI), Y4
	VMOVUPS 32(DI), Y5
	VMOVUPS 64(DI), Y6
	VMOVUPS 96(DI), Y7
	VFMADD231PS (SI), Y0, Y4
	VFMADD231PS 32(SI), Y0, Y5
	VFMADD231PS 64(SI), Y0, Y6
	VFMADD231PS 96(SI), Y0, Y7
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, 32(DI)
	VMOVUPS Y6, 64(DI)
	VMOVUPS Y7, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JGE loop

rest:
	ADDQ $32, CX
	JEQ done

eight:
	VMOVUPS (DI), Y4
	VFMADD231PS (SI), Y0, Y4
	VMOVUPS Y4, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNE eight

done:
	VZEROUPPER
	RET

// func scaleVector(alpha float32, x *float32, n int)
TEXT ·scaleVector(SB), NOSPLIT, $0-24
	VBROADCASTSS alpha+0(FP), Y0
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

eight:
	VMULPS (SI), Y0, Y1
	VMOVUPS Y1, (SI)
	ADDQ $32, SI
	SUBQ $8, CX
	JNE eight
	VZEROUPPER
	RET

// func sumSquaresVector(x *float32, shift float64, n int) float64
TEXT ·sumSquaresVector(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	VBROADCASTSD shift+8(FP), Y6
	MOVQ n+16(FP), CX
	VXORPS X0, X0, X0
	VXORPS X1, X1, X1

eight:
	VCVTPS2PD (SI), Y2
	VCVTPS2PD 16(SI), Y3
	VSUBPD Y6, Y2, Y2
	VSUBPD Y6, Y3, Y3
	VFMADD231PD Y2, Y2, Y0
	VFMADD231PD Y3, Y3, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNE eight
	VADDPD Y1, Y0, Y0
	HSUMD(Y0, X0, X1)
	VMOVSD X0, ret+24(FP)
	VZEROUPPER
	RET

// func sumVector(x *float32, n int) float64
TEXT ·sumVector(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VXORPS X0, X0, X0
	VXORPS X1, X1, X1

eight:
	VCVTPS2PD (SI), Y2
	VCVTPS2PD 16(SI), Y3
	VADDPD Y2, Y0, Y0
	VADDPD Y3, Y1, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNE eight
	VADDPD Y1, Y0, Y0
	HSUMD(Y0, X0, X1)
	VMOVSD X0, ret+16(FP)
	VZEROUPPER
	RET

// func biasLeakyVector(row, bias *float32, slope float32, n int)
TEXT ·biasLeakyVector(SB), NOSPLIT, $0-32
	MOVQ row+0(FP), DI
	MOVQ bias+8(FP), SI
	VBROADCASTSS slope+16(FP), Y0
	MOVQ n+24(FP), CX
	VXORPS X1, X1, X1

eight:
	VMOVUPS (DI), Y2
	VADDPS (SI), Y2, Y2
	VMULPS Y0, Y2, Y3
	VCMPPS $0x1E, Y1, Y2, Y4 // greater than zero, ordered
	VBLENDVPS Y4, Y2, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNE eight
	VZEROUPPER
	RET

// func leakyGradVector(dst, y, dy *float32, slope float32, n int)
TEXT ·leakyGradVector(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ dy+16(FP), DX
	VBROADCASTSS slope+24(FP), Y0
	MOVQ n+32(FP), CX
	VXORPS X1, X1, X1

eight:
	VMOVUPS (DX), Y2
	VMOVUPS (SI), Y5
	VMULPS Y0, Y2, Y3
	VCMPPS $0x1E, Y1, Y5, Y4
	VBLENDVPS Y4, Y2, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, DX
	SUBQ $8, CX
	JNE eight
	VZEROUPPER
	RET

// func adamVector(param, grad, m, v *float32, k *adamConstants, n int)
TEXT ·adamVector(SB), NOSPLIT, $0-48
	MOVQ param+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ m+16(FP), R8
	MOVQ v+24(FP), R9
	MOVQ k+32(FP), DX
	MOVQ n+40(FP), CX
	VBROADCASTSS adamConstants_b1(DX), Y8
	VBROADCASTSS adamConstants_a1(DX), Y9
	VBROADCASTSS adamConstants_b2(DX), Y10
	VBROADCASTSS adamConstants_a2(DX), Y11
	VBROADCASTSS adamConstants_step(DX), Y12
	VBROADCASTSS adamConstants_root(DX), Y13
	VBROADCASTSS adamConstants_eps(DX), Y14
	VBROADCASTSS adamConstants_decay(DX), Y15

eight:
	VMOVUPS (DI), Y0
	VMOVUPS (SI), Y1
	VFMADD231PS Y15, Y0, Y1   // g = grad + decay·param
	VMULPS (R8), Y8, Y2
	VFMADD231PS Y9, Y1, Y2    // m
	VMOVUPS Y2, (R8)
	VMULPS Y1, Y11, Y3
	VMULPS Y1, Y3, Y3
	VFMADD231PS (R9), Y10, Y3 // v
	VMOVUPS Y3, (R9)
	VSQRTPS Y3, Y3
	VDIVPS Y13, Y3, Y3
	VADDPS Y14, Y3, Y3
	VMULPS Y12, Y2, Y2
	VDIVPS Y3, Y2, Y2
	VSUBPS Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, R9
	SUBQ $8, CX
	JNE eight
	VZEROUPPER
	RET

// func maxUint32Vector(x *int32, n int) uint32
TEXT ·maxUint32Vector(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VPXOR Y0, Y0, Y0

loop:
	VPMAXUD (SI), Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JNE loop
	VEXTRACTI128 $1, Y0, X1
	VPMAXUD X1, X0, X0
	VPSHUFD $0x4E, X0, X1
	VPMAXUD X1, X0, X0
	VPSHUFD $0xB1, X0, X1
	VPMAXUD X1, X0, X0
	VMOVD X0, AX
	MOVL AX, ret+16(FP)
	VZEROUPPER
	RET
