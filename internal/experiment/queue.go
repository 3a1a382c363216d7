package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
)

// queue runs trials side by side within the processors and the memory that the experiment was given.
type queue struct {
	x       *Experiment
	jobs    int
	memory  int64
	waiting []*job
	running []*job
	known   map[string]bool // trials in the queue, by id
	total   int
	done    int
	began   time.Time
	took    map[string][]float64 // seconds of ended trials, by model and data set
	held    map[string]int64     // the most that a trial of a model on a data set was seen to hold
}

// job is a trial in the queue.
type job struct {
	c     *contender
	order order
	then  []func() // when it has ended, well or not
	began time.Time
	needs int64 // bytes, estimated
	limit int64 // bytes that its garbage collector works towards; 0: none
	err   error
}

func (j *job) key() string { return j.order.Data + "/" + j.order.Model }

func newQueue(x *Experiment) *queue {
	q := &queue{x: x, jobs: x.Jobs, memory: x.Memory, known: map[string]bool{}, took: map[string][]float64{}, held: map[string]int64{}, began: time.Now()}
	if q.jobs == 0 {
		q.jobs = runtime.GOMAXPROCS(0)
	}
	return q
}

// add puts a trial into the queue, once, and calls then when it has ended.
func (q *queue) add(c *contender, o order, then func()) {
	for _, list := range [][]*job{q.waiting, q.running} {
		for _, j := range list {
			if j.order.ID == o.ID { // two entries of one and the same training
				j.then = append(j.then, then)
				return
			}
		}
	}
	q.waiting = append(q.waiting, &job{c: c, order: o, then: []func(){then}})
}

// run runs all trials. Failed ones are noted and the others go on.
func (q *queue) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan *job)
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for len(q.waiting)+len(q.running) > 0 && (ctx.Err() == nil || len(q.running) > 0) {
		q.start(ctx, ended)
		if len(q.running) == 0 {
			continue // all that was waiting had ended before
		}
		select {
		case j := <-ended:
			if err := q.finish(ctx, j); err != nil {
				cancel()
				for range len(q.running) { // each child ends by itself and is waited for
					<-ended
				}
				return err
			}
		case <-tick.C:
		}
		q.show()
	}
	return ctx.Err()
}

// start begins as many waiting trials as there is room for; those that have ended before are read.
func (q *queue) start(ctx context.Context, ended chan<- *job) {
	for n := 0; n < len(q.waiting) && ctx.Err() == nil; {
		j := q.waiting[n]
		if t, err := q.read(j); err == nil {
			q.waiting = append(q.waiting[:n], q.waiting[n+1:]...)
			q.took[j.key()] = append(q.took[j.key()], t.Cost.TrainSeconds+t.Cost.EvalSeconds)
			q.held[j.key()] = max(q.held[j.key()], t.Cost.MemoryBytes)
			q.sweep(j) // killed between a trial's end and the removal of its workspace
			q.over(j)
			n = 0
			continue
		}
		if len(q.running) >= q.jobs || !q.fits(j) {
			n++
			continue
		}
		q.waiting = append(q.waiting[:n], q.waiting[n+1:]...)
		j.began, j.limit = time.Now(), q.limit(j)
		q.running = append(q.running, j)
		processors := max(1, runtime.GOMAXPROCS(0)/min(q.jobs, len(q.running)+len(q.waiting))) // the last ones share all
		go func() {
			j.err = q.x.runOne(ctx, j, processors)
			ended <- j
		}()
	}
}

// fits reports whether there is memory left for a trial. One alone is always begun: it can only be tried.
func (q *queue) fits(j *job) bool {
	j.needs = q.estimate(j)
	var used int64
	for _, r := range q.running {
		used += r.needs
	}
	return q.memory == 0 || used == 0 || used+j.needs <= q.memory
}

// limit is the memory that a trial's garbage collector works towards. A guess may be far too low, and a collector that
// works towards what cannot be reached takes half of the processor, so that a trial has its even share of all memory
// at least.
func (q *queue) limit(j *job) int64 {
	if q.memory == 0 {
		return 0
	}
	if len(q.running) == 0 && j.needs > q.memory { // alone, and can only be tried
		return q.memory
	}
	return max(j.needs, q.memory/int64(q.jobs))
}

// estimate is how much a trial will hold: what others of its model and data set did, and before one has ended a
// guess from the sizes.
func (q *queue) estimate(j *job) int64 {
	if seen := q.held[j.key()]; seen > 0 {
		return seen + seen/10
	}
	d := j.c.data.about
	guess := int64(150<<20) + int64(d.Interactions)*200 + int64(d.Users+d.Items)*64*4*16
	for _, address := range j.order.From {
		if a, ok := j.c.data.session.WS.Artefact(address); ok {
			for _, f := range a.Files {
				guess += 5 * f.Bytes // vectors that are trained: value, gradient, two moments, the best
			}
		}
	}
	if j.order.Model == "ease" || j.order.Model == "add-ease" || j.order.Model == "l3ae" {
		guess += 5 * int64(d.Items) * int64(d.Items) * 4
	}
	return guess
}

// runOne links the trial's workspace and runs it.
func (x *Experiment) runOne(ctx context.Context, j *job, processors int) error {
	dir := x.folder(j.order.ID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := result.Write(filepath.Join(dir, orderFile), j.order); err != nil {
		return err
	}
	if err := j.c.data.session.WS.Link(filepath.Join(dir, workFolder), j.order.From...); err != nil {
		return err
	}
	return x.Trial(ctx, dir, processors, j.limit)
}

// finish takes a trial that has ended in.
func (q *queue) finish(ctx context.Context, j *job) error {
	for n, r := range q.running {
		if r == j {
			q.running = append(q.running[:n], q.running[n+1:]...)
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	dir := q.x.folder(j.order.ID)
	t, err := q.read(j)
	if err != nil {
		reason := errors.Join(j.err, err)
		if j.err != nil {
			reason = j.err
		}
		q.x.failed[j.order.ID] = reason.Error()
		q.x.result.Failed = append(q.x.result.Failed, result.Failure{Trial: j.order.ID, Data: j.order.Data, Entry: j.order.Entry, Error: reason.Error()})
		q.x.note("%s on %s, seed %d, failed: %v", j.order.Entry, j.order.Data, j.order.Seed, reason)
		q.over(j)
		if err := result.Write(filepath.Join(dir, failedFile), q.x.result.Failed[len(q.x.result.Failed)-1]); err != nil {
			q.x.note("%v", err) // a full disk, perhaps, which stops no trial that fits
		}
		return nil
	}
	q.took[j.key()] = append(q.took[j.key()], time.Since(j.began).Seconds())
	q.held[j.key()] = max(q.held[j.key()], t.Cost.MemoryBytes)
	q.sweep(j)
	q.over(j)
	return nil
}

// sweep removes what an ended trial leaves. What cannot be removed takes space and does no other harm.
func (q *queue) sweep(j *job) {
	if err := sweepTrial(q.x.folder(j.order.ID)); err != nil {
		q.x.note("%v", err)
	}
}

func (q *queue) over(j *job) {
	q.done += len(j.then)
	for _, then := range j.then {
		then()
	}
}

// read reads the result of a trial, if it has one. Another experiment's trial of the same name is none.
func (q *queue) read(j *job) (*result.Trial, error) {
	if t := q.x.trials[j.order.ID]; t != nil {
		return t, nil
	}
	t, err := result.ReadTrial(q.x.Dir, j.order.ID)
	if err != nil {
		return nil, fmt.Errorf("the trial has no result: %w", err)
	}
	q.x.trials[j.order.ID] = t
	return t, nil
}

// show reports progress.
func (q *queue) show() {
	if q.x.Show == nil {
		return
	}
	p := Progress{Done: q.done, Total: q.total, Left: -1}
	for _, j := range q.running {
		line := fmt.Sprintf("%s seed %d", j.order.Entry, j.order.Seed)
		if word := lastWord(q.x.folder(j.order.ID)); word != "" {
			line = word
		}
		p.Running = append(p.Running, line)
	}
	if left, ok := q.left(); ok {
		p.Left = left
	}
	q.x.Show(p)
}

// left estimates the time that is left: trials take what others of their model and data set took, or the mean of
// all where none has ended. It is unknown while one of those has run for longer than that.
func (q *queue) left() (time.Duration, bool) {
	var all []float64
	for _, some := range q.took { // in any order: a sum of a few numbers for people to read
		all = append(all, some...)
	}
	if len(all) == 0 {
		return 0, false
	}
	mean := func(some []float64) float64 {
		var sum float64
		for _, v := range some {
			sum += v
		}
		return sum / float64(len(some))
	}
	expected := func(j *job) float64 {
		if own := q.took[j.key()]; len(own) > 0 {
			return mean(own)
		}
		return mean(all)
	}
	var seconds float64
	counted := q.done
	for _, j := range q.waiting {
		seconds += expected(j)
		counted += len(j.then)
	}
	for _, j := range q.running {
		ran := time.Since(j.began).Seconds()
		if len(q.took[j.key()]) == 0 && ran > expected(j) {
			return 0, false // slower than all before it, and nobody knows by how much
		}
		seconds += max(0, expected(j)-ran)
		counted += len(j.then)
	}
	seconds += float64(max(0, q.total-counted)) * mean(all) // seeds that are not in the queue yet
	return time.Duration(seconds / float64(q.jobs) * float64(time.Second)), true
}
