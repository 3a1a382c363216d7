package texts

import (
	"context"
	"fmt"
	"time"
)

// commitSize bounds the answers stored in one transaction.
const commitSize = 2000

// commit stores outcomes as they arrive, those that wait at the same time in one
// transaction, and settles their questions once they are stored. After the run was stopped
// it goes on until no question is in flight, so that no paid answer is lost.
func (r *run) commit(outcomes <-chan outcome) {
	var batch []outcome
	var timer *time.Timer
	var due <-chan time.Time
	flush := func() {
		if timer != nil {
			timer.Stop()
			timer, due = nil, nil
		}
		r.flush(batch)
		batch = batch[:0]
	}
	for {
		select {
		case o, open := <-outcomes:
			if !open {
				flush()
				return
			}
			batch = append(batch, o)
		case <-due:
			flush()
			continue
		}
		batch = drain(batch, outcomes)
		switch {
		case r.opt.CommitEvery <= 0 || len(batch) >= commitSize:
			flush()
		case timer == nil:
			timer = time.NewTimer(r.opt.CommitEvery)
			due = timer.C
		}
	}
}

// drain adds the outcomes that are waiting now.
func drain(batch []outcome, outcomes <-chan outcome) []outcome {
	for len(batch) < commitSize {
		select {
		case o, open := <-outcomes:
			if !open {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

func (r *run) flush(batch []outcome) {
	var keep []Generation
	now := time.Now().UTC()
	for i := range batch {
		if batch[i].keep {
			batch[i].g.Created = now
			keep = append(keep, batch[i].g)
			if memo := batch[i].q.pictureNote; memo != nil && batch[i].g.Status == StatusOK {
				memo.Created = now
				keep = append(keep, *memo)
			}
		}
	}
	if len(keep) > 0 {
		if err := r.store.Put(context.Background(), keep); err != nil {
			r.stop(fmt.Errorf("store answers: %w", err))
			for i := range batch {
				batch[i].keep = false
			}
		}
	}
	for _, o := range batch {
		switch {
		case !o.keep: // pending
		case o.g.Status == StatusOK:
			r.settle(o.q.at, storedAnswer, func(rep *Report) { rep.Answered++ })
		default:
			r.settle(o.q.at, noAnswer, func(rep *Report) {
				rep.Quarantined++
				rep.fail(Failure{o.g.Subject, o.g.Fold, o.g.Class, o.g.Error, o.g.Attempt})
			})
		}
	}
}
