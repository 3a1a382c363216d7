package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// run is a training run under way.
type run struct {
	progress
	model       model.Model
	opt         Options
	adam        *Adam
	sampler     *sampler
	tape        *autograd.Tape
	evaluate    Evaluator
	best        [][]float32 // the best epoch's parameters
	resumedFrom int
}

// Run trains m on in, which it was built on, and lets evaluate choose the best epoch and
// measure it; the trainer is handed train interactions only. On return m holds the best
// epoch's weights.
//
// With opt.Dir, last.safetensors is written after every epoch, model.safetensors
// after every new best one, and log.jsonl gets a line an epoch; with opt.Resume the
// run continues from them, and the outcome is the same to the last bit. When ctx ends,
// Run returns the epochs so far along with an error that wraps ctx's; the epoch under
// way is lost and m holds its intermediate weights.
func Run(ctx context.Context, m model.Model, in model.Inputs, evaluate Evaluator, opt Options) (*Result, error) {
	r, err := newRun(m, in, evaluate, opt)
	if err != nil {
		return nil, err
	}
	stopped, err := r.loop(ctx)
	if err != nil {
		if ctx.Err() == nil {
			return nil, err
		}
		return r.result(StoppedCancelled), fmt.Errorf("training stopped after epoch %d: %w", len(r.Epochs), err)
	}
	r.restore(r.best)
	res := r.result(stopped)
	if res.Test, err = r.measure(ctx, dataset.Test); err != nil {
		return nil, fmt.Errorf("evaluating the best epoch, %d: %w", r.Stop.Best, err)
	}
	return res, nil
}

func newRun(m model.Model, in model.Inputs, evaluate Evaluator, opt Options) (*run, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := evaluate.CheckTraining(in.Train); err != nil {
		return nil, err
	}
	r := &run{model: m, opt: opt, adam: NewAdam(m.Params(), opt.WeightDecay), tape: autograd.NewTape(), evaluate: evaluate}
	r.progress = progress{Format: checkpointFormat, Stop: newStopper(), Config: runConfig(m, in, opt)}
	if r.sampler, err = newSampler(in.Train, opt.BatchSize, opt.Seed); err != nil {
		return nil, err
	}
	r.best = r.snapshot()
	if err := r.claim(); err != nil {
		return nil, err
	}
	if left := r.sampler.leftOut; len(left) > 0 && opt.OnLeftOut != nil {
		var users []string
		for _, u := range left {
			users = append(users, in.Train.UserID(u))
		}
		opt.OnLeftOut(users)
	}
	return r, nil
}

// loop runs epochs until there is a reason to stop.
func (r *run) loop(ctx context.Context) (stopped string, err error) {
	for !r.Stop.done(r.opt.Patience) {
		epoch := len(r.Epochs) + 1
		if epoch > r.opt.Epochs {
			return StoppedAtLimit, nil
		}
		e, err := r.epoch(ctx, epoch)
		if err != nil {
			return "", fmt.Errorf("epoch %d: %w", epoch, err)
		}
		r.Epochs = append(r.Epochs, e)
		if e.Best {
			for k, p := range r.model.Params() {
				copy(r.best[k], p.Value.Data)
			}
		}
		if err := r.save(); err != nil {
			return "", err
		}
		if r.opt.OnEpoch != nil {
			r.opt.OnEpoch(e)
		}
	}
	return StoppedEarly, nil
}

// epoch trains on every row once and validates.
func (r *run) epoch(ctx context.Context, epoch int) (Epoch, error) {
	e := Epoch{Epoch: epoch}
	start := time.Now()
	if m, ok := r.model.(model.EpochStarter); ok {
		if err := m.StartEpoch(epoch); err != nil {
			return Epoch{}, fmt.Errorf("start: %w", err)
		}
	}
	lr := r.opt.LR * math.Pow(r.opt.LRDecay, float64(epoch-1)/50)
	var total float64
	pace := newPace(epoch, r.sampler.steps(), r.opt.BatchSize, r.validation(), start)
	err := r.sampler.each(epoch, func(b model.Batch) error {
		loss := r.step(b, lr)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return usererr.New(r.tooFast(),
				"training diverged: the loss is %g", loss)
		}
		total += loss * float64(len(b.Rows))
		if r.opt.OnStep != nil {
			r.opt.OnStep(pace.took(time.Now()))
		}
		return ctx.Err()
	})
	if err != nil {
		return Epoch{}, err
	}
	e.Loss = total / float64(len(r.sampler.order))
	trained := time.Now()
	e.TrainSeconds = trained.Sub(start).Seconds()
	if err := r.checkFinite(); err != nil {
		return Epoch{}, err
	}
	if e.Valid, err = r.measure(ctx, dataset.Valid); err != nil {
		return Epoch{}, err
	}
	e.EvalSeconds = time.Since(trained).Seconds()
	score, err := selected(e.Valid, r.opt.Select)
	if err != nil {
		return Epoch{}, err
	}
	e.Best = r.Stop.observe(epoch, score, r.opt.RoundScore)
	return e, nil
}

// validation is how long the validation of the last epoch took; 0 before the first one.
func (r *run) validation() time.Duration {
	if len(r.Epochs) == 0 {
		return 0
	}
	return time.Duration(r.Epochs[len(r.Epochs)-1].EvalSeconds * float64(time.Second))
}

// step follows the loss of one batch once and returns it.
func (r *run) step(b model.Batch, lr float64) float64 {
	r.tape.Reset()
	loss := r.model.Loss(r.tape, b)
	value := float64(loss.Scalar())
	r.tape.Backward(loss)
	r.adam.Step(lr)
	return value
}

// checkFinite catches what the last step of an epoch broke, which no later loss shows.
func (r *run) checkFinite() error {
	for _, p := range r.model.Params() {
		for i, v := range p.Value.Data {
			if v-v != 0 {
				return usererr.New(r.tooFast(),
					"training diverged: element %d of parameter %s is %g", i, p.Name, v)
			}
		}
	}
	return nil
}

// tooFast is the hint of training that diverged.
func (r *run) tooFast() string {
	return fmt.Sprintf("Lower the step size, to lr=%g say, and look for extreme values in the item vectors.", r.opt.LR/10)
}

// measure evaluates the model's present weights.
func (r *run) measure(ctx context.Context, label dataset.Label) (map[string]float64, error) {
	users, items, err := r.model.Represent()
	if err != nil {
		return nil, fmt.Errorf("computing the vectors: %w", err)
	}
	return r.evaluate.Measure(ctx, users, items, label)
}

// selected returns the validation metric that decides between epochs.
func selected(valid map[string]float64, key string) (float64, error) {
	score, ok := valid[key]
	if !ok || score != score {
		return 0, fmt.Errorf("validation metric %q was not measured", key)
	}
	return score, nil
}

// snapshot returns a copy of the parameters.
func (r *run) snapshot() [][]float32 {
	var s [][]float32
	for _, p := range r.model.Params() {
		s = append(s, append([]float32(nil), p.Value.Data...))
	}
	return s
}

// restore puts a snapshot back.
func (r *run) restore(s [][]float32) {
	for k, p := range r.model.Params() {
		copy(p.Value.Data, s[k])
	}
}

func (r *run) result(stopped string) *Result {
	res := &Result{Epochs: r.Epochs, BestEpoch: r.Stop.Best, Stopped: stopped, ResumedFrom: r.resumedFrom, LeftOut: len(r.sampler.leftOut), Config: r.Config}
	if res.BestEpoch > 0 {
		res.Valid = r.Epochs[res.BestEpoch-1].Valid
	}
	return res
}
