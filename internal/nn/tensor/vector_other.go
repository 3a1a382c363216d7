//go:build !amd64 && !arm64

package tensor

// Where no vector kernels exist the level stays levelGeneric and none of these is called.

const (
	edgeTile  = 0
	noVectors = "tensor: no vector kernels on this machine"
)

func run(_ level, packed bool, args *kernelArgs) { kernelGeneric(args, packed) }

func pack(level, int, *packArgs)                              { panic(noVectors) }
func transpose8x8(*float32, uintptr, *float32, uintptr, int)  { panic(noVectors) }
func dotVector(_, _ *float32, _ int) float32                  { panic(noVectors) }
func axpyVector(float32, *float32, *float32, int)             { panic(noVectors) }
func scaleVector(float32, *float32, int)                      { panic(noVectors) }
func sumSquaresVector(*float32, float64, int) float64         { panic(noVectors) }
func sumVector(*float32, int) float64                         { panic(noVectors) }
func biasLeakyVector(_, _ *float32, _ float32, _ int)         { panic(noVectors) }
func leakyGradVector(_, _, _ *float32, _ float32, _ int)      { panic(noVectors) }
func adamVector(_, _, _, _ *float32, _ *adamConstants, _ int) { panic(noVectors) }

func expVector(*float32, float32, int, *mathTable)             { panic(noVectors) }
func geluVector(*float32, int, *mathTable)                     { panic(noVectors) }
func maxVector(*float32, int) float32                          { panic(noVectors) }
func layerNormVector(_, _, _, _ *float32, _, _ float32, _ int) { panic(noVectors) }
func filterVector(*float32, int, int32, float32, *int32) int   { panic(noVectors) }
func spmmVector(*spmmArgs)                                     { panic(noVectors) }
func maxUint32Vector(*int32, int) uint32                       { panic(noVectors) }
func groupMaxVector(*float32, int, int, *float32)              { panic(noVectors) }
func countAtLeastVector(*float32, int, float32) int            { panic(noVectors) }
