package main

import "fmt"

const (
	neonMR = 8 // rows of a tile
	neonNR = 8 // columns, two vectors
)

// neonGemm writes the GEMM micro-kernels for NEON: a tile of 8×8 in V0–V15. Elements of
// A are read as lanes of a register that holds four of them, so a step of four p takes
// eight loads of A and eight of B for 64 multiply-adds.
//
// Stores have no masks: of a last panel that is not whole the tile goes to
// kernelArgs.edge, and the caller copies what exists of it.
type neonGemm struct {
	neon
	direct bool
	mr     int
}

func (g *neonGemm) label(s string) string { return fmt.Sprintf("mr%d_%s", g.mr, s) }

// acc is the accumulator of row i, vector half h.
func (g *neonGemm) acc(i, h int) int { return 2*i + h }

func (g *neonGemm) functions() {
	for _, g.direct = range []bool{true, false} {
		g.function()
	}
}

// Registers: R0–R7 rows of A, or R0 packed A; R8 B; R9 C; R10 stride of C; R11 panels
// left; R12 arguments; R15 counter; R19 and R20 position and stride of the store; R21
// scratch. V16–V23 A; V24–V27 B; in the store V24 alpha, V25 beta, V26 and V27 old C.
func (g *neonGemm) function() {
	form := "Packed"
	if g.direct {
		form = "Direct"
	}
	g.p("\n// func sgemm%sNEON(args *kernelArgs)", form)
	g.p("TEXT ·sgemm%sNEON(SB), NOSPLIT, $0-8", form)
	g.p("\tMOVD args+0(FP), R12")
	g.p("\tMOVD kernelArgs_b(R12), R8")
	g.p("\tMOVD kernelArgs_c(R12), R9")
	g.p("\tMOVD kernelArgs_ldc(R12), R10")
	g.p("\tMOVD kernelArgs_np(R12), R11")
	g.p("\tMOVD kernelArgs_mr(R12), R15")
	for mr := neonMR; mr >= 1; mr-- {
		g.p("\tCMP $%d, R15", mr)
		g.p("\tBEQ mr%d_panel", mr)
	}
	g.p("\tRET")
	for g.mr = neonMR; g.mr >= 1; g.mr-- {
		g.tile()
	}
}

// tile writes the loop over the panels of B for one height mr.
func (g *neonGemm) tile() {
	g.p("\n%s:", g.label("panel"))
	for n := range 2 * g.mr {
		g.p("\tVEOR V%d.B16, V%d.B16, V%d.B16", n, n, n)
	}
	g.p("\tMOVD kernelArgs_a(R12), R0")
	if g.direct && g.mr > 1 {
		g.p("\tMOVD kernelArgs_lda(R12), R21")
		for i := 1; i < g.mr; i++ {
			g.p("\tADD R21, R%d, R%d", i-1, i)
		}
	}
	const unroll = 4
	g.p("\tMOVD kernelArgs_k(R12), R15")
	g.p("\tSUBS $%d, R15", unroll)
	g.p("\tBLT %s", g.label("rest"))
	g.p("\n%s:", g.label("loop"))
	if g.direct {
		for i := range g.mr {
			g.p("\tFMOVQ.P 16(R%d), F%d", i, 16+i)
		}
	}
	for u := range unroll {
		g.step(u, u)
	}
	g.p("\tSUBS $%d, R15", unroll)
	g.p("\tBGE %s", g.label("loop"))
	g.p("\n%s:", g.label("rest"))
	g.p("\tADDS $%d, R15", unroll)
	g.p("\tBEQ %s", g.label("store"))
	g.p("\n%s:", g.label("single"))
	if g.direct {
		for i := range g.mr {
			g.p("\tFMOVS.P 4(R%d), F%d", i, 16+i)
		}
	}
	g.step(0, 0)
	g.p("\tSUBS $1, R15")
	g.p("\tBNE %s", g.label("single"))
	g.p("\n%s:", g.label("store"))
	g.store()
	g.p("\tADD $%d, R9", 4*neonNR)
	g.p("\tSUBS $1, R11")
	g.p("\tBNE %s", g.label("panel"))
	g.p("\tRET")
}

// step adds one p to the tile; lane is its place in the registers of a direct A. Loads
// alternate between two sets of registers.
func (g *neonGemm) step(u, lane int) {
	b, a := 24+2*(u%2), 16+2*(u%2)
	g.p("\tFLDPQ.P 32(R8), (F%d, F%d)", b, b+1)
	if !g.direct {
		g.p("\tFLDPQ.P 32(R0), (F%d, F%d)", a, a+1)
	}
	for i := range g.mr {
		reg, at := 16+i, lane
		if !g.direct {
			reg, at = a+i/4, i%4
		}
		for h := range 2 {
			g.p("\tVFMLA V%d.S[%d], V%d.S4, V%d.S4", reg, at, b+h, g.acc(i, h))
		}
	}
}

// store writes the tile by one of three rules: C = T, C = alpha·T, C = alpha·T + beta·C.
func (g *neonGemm) store() {
	g.p("\tMOVD R9, R19")
	g.p("\tMOVD R10, R20")
	g.p("\tCMP $1, R11")
	g.p("\tBNE %s", g.label("whole"))
	g.p("\tMOVD kernelArgs_lastFull(R12), R21")
	g.p("\tCBNZ R21, %s", g.label("whole"))
	g.p("\tADD $kernelArgs_edge, R12, R19")
	g.p("\tMOVD $%d, R20", 4*neonNR)
	g.p("\n%s:", g.label("whole"))
	g.p("\tMOVD kernelArgs_mode(R12), R21")
	g.p("\tCMP $1, R21")
	g.p("\tBEQ %s", g.label("scale"))
	g.p("\tBGT %s", g.label("add"))
	g.rows(false, false)
	g.p("\tB %s", g.label("stored"))
	g.p("\n%s:", g.label("scale"))
	g.broadcast("alpha", 24)
	g.rows(true, false)
	g.p("\tB %s", g.label("stored"))
	g.p("\n%s:", g.label("add"))
	g.broadcast("alpha", 24)
	g.broadcast("beta", 25)
	g.rows(true, true)
	g.p("\n%s:", g.label("stored"))
}

func (g *neonGemm) broadcast(field string, v int) {
	g.p("\tFMOVS kernelArgs_%s(R12), F%d", field, v)
	g.p("\tVDUP V%d.S[0], V%d.S4", v, v)
}

func (g *neonGemm) rows(scale, add bool) {
	for i := range g.mr {
		if add {
			g.p("\tFLDPQ (R19), (F26, F27)")
		}
		for h := range 2 {
			acc := g.acc(i, h)
			if scale {
				g.p("\tVFMUL V24.S4, V%d.S4, V%d.S4", acc, acc)
			}
			if add {
				g.p("\tVFMLA V%d.S4, V25.S4, V%d.S4", 26+h, acc)
			}
		}
		g.p("\tFSTPQ (F%d, F%d), (R19)", g.acc(i, 0), g.acc(i, 1))
		if i < g.mr-1 {
			g.p("\tADD R20, R19")
		}
	}
}
