package main

import (
	"bytes"
	"os"
	"testing"
)

// TestEncode holds what LLVM's assembler makes of the same instructions.
func TestEncode(t *testing.T) {
	want := map[string]uint32{
		"VFMLA V31.S[3], V30.S4, V29.S4": 0x4fbf1bdd,
		"VFMLA V18.S[1], V25.S4, V7.S4":  0x4fb21327,
		"VFMLA V2.S[2], V25.S4, V7.S4":   0x4f821b27,
		"VFADD V31.S4, V30.S4, V29.S4":   0x4e3fd7dd,
		"VFADD V30.D2, V17.D2, V9.D2":    0x4e7ed629,
		"VFSUB V30.S4, V17.S4, V9.S4":    0x4ebed629,
		"VFSUB V30.D2, V17.D2, V9.D2":    0x4efed629,
		"VFMUL V3.S4, V2.S4, V1.S4":      0x6e23dc41,
		"VFDIV V8.S4, V16.S4, V31.S4":    0x6e28fe1f,
		"VFMAX V1.S4, V2.S4, V3.S4":      0x4e21f443,
		"VFMIN V1.S4, V2.S4, V3.S4":      0x4ea1f443,
		"VFCMGE V1.S4, V2.S4, V3.S4":     0x6e21e443,
		"VFCMGT V1.S4, V2.S4, V3.S4":     0x6ea1e443,
		"VFABS V10.S4, V21.S4":           0x4ea0f955,
		"VFNEG V10.S4, V21.S4":           0x6ea0f955,
		"VFSQRT V10.S4, V21.S4":          0x6ea1f955,
		"VFRINTN V10.S4, V21.S4":         0x4e218955,
		"VFCVTNS V10.S4, V21.S4":         0x4e21a955,
		"VFCVTL V10.S2, V21.D2":          0x0e617955,
		"VFCVTL2 V10.S4, V21.D2":         0x4e617955,
		"VFADDP V10.S2, F21":             0x7e30d955,
		"VFADDP V10.D2, F21":             0x7e70d955,
		"VSSHR $31, V10.S4, V21.S4":      0x4f210555,
		"VSHRN $4, V10.H8, V21.B8":       0x0f0c8555,
	}
	for line, code := range want {
		if got, known := encode("\t" + line + " // a comment"); !known || got != code {
			t.Errorf("%s: %#08x (known: %v), want %#08x", line, got, known, code)
		}
	}
	if len(want) < len(forms) {
		t.Errorf("%d forms are tried, there are %d", len(want), len(forms))
	}
	for _, line := range []string{"VFMLA V1.S4, V12.S4, V1.S4", "loop:", "MOVD R0, R1", "", "// VFADD V0.S4, V0.S4, V0.S4"} {
		if _, known := encode(line); known {
			t.Errorf("%q is for Go's assembler", line)
		}
	}
}

// TestFilesAreUpToDate: the assembly is what the generator writes; 'go generate' mends it.
func TestFilesAreUpToDate(t *testing.T) {
	for set, file := range map[string]string{
		"avx2": "gemm_avx2_amd64.s", "avx512": "gemm_avx512_amd64.s", "neon": "gemm_neon_arm64.s", "neon-vector": "vector_neon_arm64.s",
	} {
		have, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if !generate(&want, set) {
			t.Fatalf("no set %s", set)
		}
		if !bytes.Equal(have, want.Bytes()) {
			t.Errorf("%s is not what asmgen %s writes: run 'go generate ./internal/nn/tensor'", file, set)
		}
	}
	if generate(new(bytes.Buffer), "sse") {
		t.Error("a set sse")
	}
}
