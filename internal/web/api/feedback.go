package api

import (
	"context"
	"net/http"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/internal/live"
)

type receiptsOut struct {
	Body struct {
		Receipts []client.Receipt `json:"receipts" doc:"one an event, in their order"`
	}
}

func (a *API) feedback() {
	register(a, operation{id: "feedback", method: http.MethodPost, path: "/v1/feedback", tag: "Feedback", role: live.Feedback, body: maxBulk,
		summary: "Post what users did", description: "Stored all or none, durable before the reply, and heeded by the next list. An event with a key is stored once however often it is posted; " +
			"409 if its key stands for another event. Keys are each API key's own."},
		func(ctx context.Context, in *struct {
			Body struct {
				Events []client.Event `json:"events" minItems:"1" maxItems:"10000"`
			}
		}) (*receiptsOut, error) {
			owner := callOf(ctx).key
			events := make([]live.Event, len(in.Body.Events))
			for n, e := range in.Body.Events {
				events[n] = live.Event{User: e.User, Item: e.Item, Type: live.EventType(e.Type), Time: e.Time.UTC(), Weight: e.Weight, Request: e.Request}
				if e.Key != "" {
					events[n].Key = owner + "/" + e.Key
				}
			}
			receipts, err := a.shop.Feedback(ctx, events)
			if err != nil {
				a.metrics.refused.Add(float64(len(events)))
				return nil, err
			}
			out := &receiptsOut{}
			for n, r := range receipts {
				out.Body.Receipts = append(out.Body.Receipts, client.Receipt{Seq: r.Seq, Again: r.Again})
				if !r.Again {
					a.metrics.events.WithLabelValues(string(events[n].Type), events[n].Arm).Inc()
				}
			}
			return out, nil
		})
}
