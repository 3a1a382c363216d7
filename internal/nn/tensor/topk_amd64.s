#include "textflag.h"

DATA lanes<>+0(SB)/4, $0
DATA lanes<>+4(SB)/4, $1
DATA lanes<>+8(SB)/4, $2
DATA lanes<>+12(SB)/4, $3
DATA lanes<>+16(SB)/4, $4
DATA lanes<>+20(SB)/4, $5
DATA lanes<>+24(SB)/4, $6
DATA lanes<>+28(SB)/4, $7
DATA lanes<>+32(SB)/4, $8
DATA lanes<>+36(SB)/4, $9
DATA lanes<>+40(SB)/4, $10
DATA lanes<>+44(SB)/4, $11
DATA lanes<>+48(SB)/4, $12
DATA lanes<>+52(SB)/4, $13
DATA lanes<>+56(SB)/4, $14
DATA lanes<>+60(SB)/4, $15
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// func filterAVX512(x *float32, n int, base int32, threshold float32, out *int32) int
// n is a multiple of 16.
TEXT ·filterAVX512(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	MOVL base+16(FP), AX
	VPBROADCASTD AX, Z1
	VPADDD lanes<>(SB), Z1, Z1
	VBROADCASTSS threshold+20(FP), Z0
	MOVQ out+24(FP), DI
	MOVQ DI, R8
	MOVL $16, AX
	VPBROADCASTD AX, Z2

loop:
	VMOVUPS (SI), Z3
	VCMPPS $0x1E, Z0, Z3, K1
	KMOVW K1, AX
	TESTL AX, AX
	JEQ next
	VPCOMPRESSD.Z Z1, K1, Z4
	VMOVDQU32 Z4, (DI)
	POPCNTL AX, AX
	LEAQ (DI)(AX*4), DI

next:
	VPADDD Z2, Z1, Z1
	ADDQ $64, SI
	SUBQ $16, CX
	JNE loop
	SUBQ R8, DI
	SHRQ $2, DI
	MOVQ DI, ret+32(FP)
	VZEROUPPER
	RET

// func filterAVX2(x *float32, n int, base int32, threshold float32, out *int32) int
// n is a multiple of 16.
TEXT ·filterAVX2(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	MOVL base+16(FP), DX
	VBROADCASTSS threshold+20(FP), Y0
	MOVQ out+24(FP), DI
	MOVQ DI, R8

loop:
	VMOVUPS (SI), Y1
	VMOVUPS 32(SI), Y2
	VCMPPS $0x1E, Y0, Y1, Y1
	VCMPPS $0x1E, Y0, Y2, Y2
	VMOVMSKPS Y1, AX
	VMOVMSKPS Y2, BX
	SHLL $8, BX
	ORL BX, AX
	JEQ next

bit:
	BSFL AX, BX
	ADDL DX, BX
	MOVL BX, (DI)
	ADDQ $4, DI
	LEAL -1(AX), BX
	ANDL BX, AX
	JNE bit

next:
	ADDL $16, DX
	ADDQ $64, SI
	SUBQ $16, CX
	JNE loop
	SUBQ R8, DI
	SHRQ $2, DI
	MOVQ DI, ret+32(FP)
	VZEROUPPER
	RET

// MAXPS gives its second source when either is NaN: the running maximum, so that NaN
// is passed over.

// func groupMaxAVX512(x *float32, blocks, depth int, out *float32)
TEXT ·groupMaxAVX512(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ depth+16(FP), DX
	MOVQ out+24(FP), DI
	MOVL $0xFF800000, AX // -Inf
	VPBROADCASTD AX, Z3

block:
	VMOVAPS Z3, Z0
	MOVQ DX, AX

vector:
	VMOVUPS (SI), Z1
	VMAXPS Z0, Z1, Z0
	ADDQ $64, SI
	DECQ AX
	JNE vector
	VMOVUPS Z0, (DI)
	ADDQ $64, DI
	DECQ CX
	JNE block
	VZEROUPPER
	RET

// func groupMaxAVX2(x *float32, blocks, depth int, out *float32)
TEXT ·groupMaxAVX2(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ depth+16(FP), DX
	MOVQ out+24(FP), DI
	MOVL $0xFF800000, AX
	VMOVD AX, X3
	VPBROADCASTD X3, Y3

block:
	VMOVAPS Y3, Y0
	VMOVAPS Y3, Y2
	MOVQ DX, AX

vector:
	VMOVUPS (SI), Y1
	VMAXPS Y0, Y1, Y0
	VMOVUPS 32(SI), Y1
	VMAXPS Y2, Y1, Y2
	ADDQ $64, SI
	DECQ AX
	JNE vector
	VMOVUPS Y0, (DI)
	VMOVUPS Y2, 32(DI)
	ADDQ $64, DI
	DECQ CX
	JNE block
	VZEROUPPER
	RET

// func countAtLeastVector(x *float32, n int, threshold float32) int
// n is a multiple of 8.
TEXT ·countAtLeastVector(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTSS threshold+16(FP), Y0
	VPXOR Y1, Y1, Y1

loop:
	VMOVUPS (SI), Y2
	VCMPPS $0x1D, Y0, Y2, Y2 // greater or equal, ordered
	VPSUBD Y2, Y1, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNE loop
	VEXTRACTI128 $1, Y1, X0
	VPADDD X0, X1, X1
	VPSHUFD $0x4E, X1, X0
	VPADDD X0, X1, X1
	VPSHUFD $0xB1, X1, X0
	VPADDD X0, X1, X1
	VMOVD X1, AX
	MOVQ AX, ret+24(FP)
	VZEROUPPER
	RET
