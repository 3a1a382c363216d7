//go:build !amd64

package tensor

// Where no vector kernels exist the level stays levelGeneric and none of these is called.

const noVectors = "tensor: no vector kernels on this machine"

func run(_ level, packed bool, args *kernelArgs) { kernelGeneric(args, packed) }

func pack(level, int, *packArgs)                             { panic(noVectors) }
func transpose8x8(*float32, uintptr, *float32, uintptr, int) { panic(noVectors) }
func dotAVX2(_, _ *float32, _ int) float32                   { panic(noVectors) }
func axpyAVX2(float32, *float32, *float32, int)              { panic(noVectors) }
func scaleAVX2(float32, *float32, int)                       { panic(noVectors) }
func sumSquaresAVX2(*float32, float64, int) float64          { panic(noVectors) }
func sumAVX2(*float32, int) float64                          { panic(noVectors) }
func biasLeakyAVX2(_, _ *float32, _ float32, _ int)          { panic(noVectors) }
func leakyGradAVX2(_, _, _ *float32, _ float32, _ int)       { panic(noVectors) }
func adamAVX2(_, _, _, _ *float32, _ *adamConstants, _ int)  { panic(noVectors) }

func expAVX2(*float32, float32, int, *mathTable)             { panic(noVectors) }
func geluAVX2(*float32, int, *mathTable)                     { panic(noVectors) }
func maxAVX2(*float32, int) float32                          { panic(noVectors) }
func layerNormAVX2(_, _, _, _ *float32, _, _ float32, _ int) { panic(noVectors) }
func filterAVX512(*float32, int, int32, float32, *int32) int { panic(noVectors) }
func filterAVX2(*float32, int, int32, float32, *int32) int   { panic(noVectors) }
func spmmAVX512(*spmmArgs)                                   { panic(noVectors) }
func spmmAVX2(*spmmArgs)                                     { panic(noVectors) }
func maxUint32AVX2(*int32, int) uint32                       { panic(noVectors) }
func groupMaxAVX512(*float32, int, int, *float32)            { panic(noVectors) }
func groupMaxAVX2(*float32, int, int, *float32)              { panic(noVectors) }
func countAtLeastAVX2(*float32, int, float32) int            { panic(noVectors) }
