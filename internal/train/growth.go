package train

import (
	"math"
	"strconv"
)

// mostSteps bounds the steps of an epoch whose batches grow with the data: about as many as
// the published batch size gives on data sets of the size that it was chosen on.
const mostSteps = 128

// Grown returns the options with batches that grow with the number of train interactions:
// doubled until an epoch has no more than 128 steps. The step size, unless it was chosen,
// grows with the root of the batch, as the noise of its gradient shrinks. Small data keep the
// options as they are.
func (o Options) Grown(interactions int, chosenLR bool) Options {
	setDefault(&o.BatchSize, defaultBatchSize)
	setDefault(&o.LR, defaultLR)
	times := 1
	for o.BatchSize*times*mostSteps < interactions {
		times *= 2
	}
	o.BatchSize *= times
	if !chosenLR {
		// To four digits, so that the number can be written down and given again.
		o.LR, _ = strconv.ParseFloat(strconv.FormatFloat(o.LR*math.Sqrt(float64(times)), 'g', 4, 64), 64)
	}
	return o
}

// StepsFor returns the steps of an epoch over some train interactions.
func (o Options) StepsFor(interactions int) int {
	setDefault(&o.BatchSize, defaultBatchSize)
	return (interactions + o.BatchSize - 1) / o.BatchSize
}
