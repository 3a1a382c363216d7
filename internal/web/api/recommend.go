package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const tagLists = "Recommendations"

// listed is an answer with what stands in its header.
type listed struct {
	Run  string `header:"MLLMRec-Run"`
	Arm  string `header:"MLLMRec-Arm"`
	Body *client.List
}

type userQuery struct {
	User      string   `path:"user" maxLength:"1024" doc:"id of the user"`
	K         int      `query:"k" minimum:"1" maximum:"1000" default:"10" doc:"how many items"`
	Cursor    string   `query:"cursor" maxLength:"400" doc:"'next' of the page before"`
	Diversity float64  `query:"diversity" minimum:"0" maximum:"1" doc:"0: by score alone; 1: as unlike each other as can be"`
	Any       []string `query:"any,explode" maxItems:"1000" doc:"categories, of which an item has one at least"`
	All       []string `query:"all,explode" maxItems:"1000" doc:"categories, of which an item has each"`
	None      []string `query:"none,explode" maxItems:"1000" doc:"categories, of which an item has none"`
	Brand     []string `query:"brand,explode" maxItems:"1000" doc:"brands, of which an item has one"`
	MinPrice  float64  `query:"min_price" minimum:"0" maximum:"1e12" doc:"lowest price; an item without a price is in no range"`
	MaxPrice  float64  `query:"max_price" minimum:"0" maximum:"1e12" doc:"highest price; 0: any"`
	Seen      bool     `query:"seen" doc:"items that the user chose may be in the list"`
	Because   bool     `query:"because" default:"true" doc:"with reasons"`
	Parts     bool     `query:"parts" doc:"with what each score is the sum of"`
}

func (a *API) recommendations() {
	register(a, operation{id: "recommend-user", method: http.MethodGet, path: "/v1/users/{user}/recommendations", tag: tagLists, role: live.Read,
		summary: "Items for a user", description: "Items that the user chose or hid are left out. k is exact after filters: fewer come back only where fewer match."},
		func(ctx context.Context, in *userQuery) (*listed, error) {
			q := shopfront.Query{User: in.User, K: in.K, Cursor: in.Cursor, Diversity: in.Diversity, Because: in.Because, Parts: in.Parts,
				Filter: shopfront.Filter{Any: in.Any, All: in.All, None: in.None, Brand: in.Brand, Seen: in.Seen, MinPrice: in.MinPrice, MaxPrice: in.MaxPrice}}
			return a.list(ctx, q)
		})
	register(a, operation{id: "recommend", method: http.MethodPost, path: "/v1/recommendations", tag: tagLists, role: live.Read, body: maxBulk,
		summary:     "Items for a user, a history, a sentence, or a history and a sentence",
		description: "Somebody never seen is served at once: by the items that they chose, by what they say that they like, or by both. Nothing of it is stored."},
		func(ctx context.Context, in *struct{ Body client.Question }) (*listed, error) {
			q, err := question(&in.Body)
			if err != nil {
				return nil, err
			}
			return a.list(ctx, q)
		})
	register(a, operation{id: "similar", method: http.MethodGet, path: "/v1/items/{item}/similar", tag: tagLists, role: live.Read,
		summary: "Items like one", description: "With what ties them: users who chose both, or like contents, and the edge of the item graph where the run has one."},
		func(ctx context.Context, in *struct {
			Item  string   `path:"item" maxLength:"1024" doc:"id of the item"`
			K     int      `query:"k" minimum:"1" maximum:"1000" default:"10" doc:"how many items"`
			Any   []string `query:"any,explode" maxItems:"1000" doc:"categories, of which an item has one at least"`
			Brand []string `query:"brand,explode" maxItems:"1000" doc:"brands, of which an item has one"`

			MinPrice float64 `query:"min_price" minimum:"0" maximum:"1e12" doc:"lowest price; an item without a price is in no range"`
			MaxPrice float64 `query:"max_price" minimum:"0" maximum:"1e12" doc:"highest price; 0: any"`
		}) (*listed, error) {
			answer, err := a.shop.Similar(ctx, in.Item, in.K, shopfront.Filter{Any: in.Any, Brand: in.Brand, MinPrice: in.MinPrice, MaxPrice: in.MaxPrice})
			if err != nil {
				return nil, err
			}
			return a.listed(ctx, answer), nil
		})
	register(a, operation{id: "explain", method: http.MethodGet, path: "/v1/users/{user}/explanations/{item}", tag: tagLists, role: live.Read,
		summary: "What the score of an item for a user is made of", description: "A tree: views of the user, and in each the items of the history. Every branch is the sum of its parts."},
		a.explain)
	a.batch()
}

// question makes a query of a posted question.
func question(in *client.Question) (shopfront.Query, error) {
	q := shopfront.Query{User: in.User, History: in.History, Text: in.Text, K: in.K, Cursor: in.Cursor, Diversity: in.Diversity, Because: in.Because == nil || *in.Because, Parts: in.Parts}
	if in.Filter != nil {
		q.Filter = shopfront.Filter(*in.Filter)
	}
	if q.User == "" && len(q.History) == 0 && q.Text == "" {
		return q, usererr.New("Send a user, a history of items, a sentence, or several of them.", "the question says nothing of who asks")
	}
	return q, nil
}

func (a *API) list(ctx context.Context, q shopfront.Query) (*listed, error) {
	answer, err := a.shop.Recommend(ctx, q)
	if err != nil {
		return nil, err
	}
	return a.listed(ctx, answer), nil
}

func (a *API) listed(ctx context.Context, answer *shopfront.Answer) *listed {
	c := callOf(ctx)
	c.arm, c.run = answer.Arm, answer.Run
	a.metrics.answered(answer)
	l := listOf(answer)
	l.Request = c.id
	return &listed{Run: answer.Run, Arm: answer.Arm, Body: l}
}

func listOf(answer *shopfront.Answer) *client.List {
	l := &client.List{Run: answer.Run, Model: answer.Model, Arm: answer.Arm, Leaky: answer.Leaky, Basis: string(answer.Basis), Preference: answer.Preference,
		Note: answer.Note, Matching: answer.Matching, Next: answer.Next, Items: make([]client.Recommendation, 0, len(answer.Hits))}
	for n := range answer.Hits {
		h := &answer.Hits[n]
		l.Items = append(l.Items, client.Recommendation{Rank: h.Rank, Item: h.Item.ID, Title: h.Item.Title, Score: h.Score, Provisional: h.Provisional,
			Because: reasonsOf(h.Because), Parts: partsOf(h.Parts)})
	}
	return l
}

func reasonsOf(all []shopfront.Reason) (out []client.Reason) {
	for _, r := range all {
		c := client.Reason{Via: r.Via, Weight: r.Weight, Edge: r.Edge, Words: r.Words}
		if r.Item != nil {
			c.Item, c.Title = r.Item.ID, r.Item.Title
		}
		out = append(out, c)
	}
	return out
}

func partsOf(all []shopfront.Part) (out []client.Part) {
	for _, p := range all {
		c := client.Part{View: p.View, Score: p.Score, Rest: p.Rest}
		for _, i := range p.Items {
			c.Items = append(c.Items, client.ItemPart{Item: i.Item.ID, Title: i.Item.Title, Score: i.Score})
		}
		out = append(out, c)
	}
	return out
}

func (a *API) explain(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"1024" doc:"id of the user"`
	Item string `path:"item" maxLength:"1024" doc:"id of the item"`
}) (*struct{ Body *client.Explanation }, error) {
	x, err := a.shop.Explain(ctx, in.User, in.Item)
	if err != nil {
		return nil, err
	}
	c := callOf(ctx)
	c.arm, c.run = x.Arm, x.Run
	return &struct{ Body *client.Explanation }{&client.Explanation{Run: x.Run, Model: x.Model, Arm: x.Arm, Leaky: x.Leaky, User: in.User, Item: x.Hit.Item.ID, Title: x.Hit.Item.Title,
		Basis: string(x.Basis), Preference: x.Preference, Note: x.Note, Score: x.Hit.Score, Rank: x.Hit.Rank, Of: x.Of, LeftOut: x.Out,
		Because: reasonsOf(x.Hit.Because), Parts: partsOf(x.Hit.Parts), Text: x.Text}}, nil
}

// batchLine is one line of a batch.
type batchLine struct {
	User  string       `json:"user"`
	List  *client.List `json:"list,omitempty"`
	Error string       `json:"error,omitempty"`
}

func (a *API) batch() {
	register(a, operation{id: "recommend-batch", method: http.MethodPost, path: "/v1/batch", tag: tagLists, role: live.Admin, body: maxBulk,
		summary: "Items for many users, as JSON lines", description: "One line a user, in the order of the users, as they are made. A user of whom nothing is known has a line with an error; the last line of a whole answer is {\"done\":true}."},
		func(ctx context.Context, in *struct {
			Body struct {
				Users   []string       `json:"users,omitempty" maxItems:"1000000" doc:"ids"`
				All     bool           `json:"all,omitempty" doc:"every user of the run"`
				K       int            `json:"k,omitempty" minimum:"1" maximum:"1000" default:"10"`
				Because bool           `json:"because,omitempty"`
				Filter  *client.Filter `json:"filter,omitempty"`
			}
		}) (*huma.StreamResponse, error) {
			users := in.Body.Users
			if in.Body.All == (len(users) > 0) {
				return nil, usererr.New("Send users, or all, and not both.", "the batch names no users, or twice")
			}
			if in.Body.All {
				users = a.shop.Arms()[0].Engine.Data.UserIDs
			}
			q := shopfront.Query{K: in.Body.K, Because: in.Body.Because}
			if in.Body.Filter != nil {
				q.Filter = shopfront.Filter(*in.Body.Filter)
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) { a.stream(hc, users, q) }}, nil
		})
}

// stream writes a batch. Whoever reads slowly is waited for, a minute each thousand lines.
func (a *API) stream(hc huma.Context, users []string, q shopfront.Query) {
	hc.SetHeader("Content-Type", "application/jsonl")
	w := bufio.NewWriterSize(hc.BodyWriter(), 64<<10)
	defer w.Flush() //nolint:errcheck // whoever asked has gone
	control, _ := hc.BodyWriter().(http.ResponseWriter)
	enc := json.NewEncoder(w)
	ctx := hc.Context()
	for n, user := range users {
		if n%1000 == 0 && control != nil {
			http.NewResponseController(control).SetWriteDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // a server without deadlines
		}
		q.User = user
		line := batchLine{User: user}
		if answer, err := a.shop.Recommend(ctx, q); err != nil {
			line.Error = a.problem(ctx, err).Error()
		} else {
			line.List = listOf(answer)
			line.List.Request = callOf(ctx).id
		}
		if ctx.Err() != nil || enc.Encode(line) != nil {
			return
		}
	}
	enc.Encode(map[string]bool{"done": true}) //nolint:errcheck // as above
}

func itemOf(it *dataset.Item) client.Item {
	return client.Item{ID: it.ID, Title: it.Title, Brand: it.Brand, Categories: it.Categories, Description: it.Description, Image: it.Image, Price: it.Price}
}
