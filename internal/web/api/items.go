package api

import (
	"context"
	"net/http"

	"github.com/mllmrec/mllmrec/client"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const tagItems = "Items"

type itemOut struct{ Body *client.ItemState }

// OnItem is an operation on an item. It is exported for the library that reads its tags.
type OnItem struct {
	Item string `path:"item" maxLength:"1024" doc:"id of the item"`
}

func (a *API) items() {
	register(a, operation{id: "item", method: http.MethodGet, path: "/v1/items/{item}", tag: tagItems, role: live.Read,
		summary: "An item as it is now, with its strongest ties"},
		func(ctx context.Context, in *OnItem) (*itemOut, error) { return a.item(ctx, in.Item) })
	register(a, operation{id: "item-put", method: http.MethodPut, path: "/v1/items/{item}", tag: tagItems, role: live.Admin, body: maxBulk,
		summary: "Add an item, or change it", description: "The next list heeds it. A new item is encoded and linked to those that it is most like, and provisional until the next run."},
		func(ctx context.Context, in *struct {
			OnItem
			Body client.Item
		}) (*itemOut, error) {
			if in.Body.ID != in.Item {
				return nil, usererr.New("", "the item in the path is %q, that in the body %q", in.Item, in.Body.ID)
			}
			if _, err := a.shop.PutItems(ctx, []dataset.Item{fieldsOf(in.Body)}); err != nil {
				return nil, err
			}
			return a.item(ctx, in.Item)
		})
	register(a, operation{id: "items-put", method: http.MethodPost, path: "/v1/items", tag: tagItems, role: live.Admin, body: maxBulk,
		summary: "Add or change many items, all or none"},
		func(ctx context.Context, in *struct {
			Body struct {
				Items []client.Item `json:"items" minItems:"1" maxItems:"10000"`
			}
		}) (*struct {
			Body struct {
				Items int `json:"items"`
			}
		}, error) {
			var items []dataset.Item
			for _, it := range in.Body.Items {
				items = append(items, fieldsOf(it))
			}
			stored, err := a.shop.PutItems(ctx, items)
			if err != nil {
				return nil, err
			}
			out := &struct {
				Body struct {
					Items int `json:"items"`
				}
			}{}
			out.Body.Items = len(stored)
			return out, nil
		})
	register(a, operation{id: "item-hide", method: http.MethodPut, path: "/v1/items/{item}/hidden", tag: tagItems, role: live.Admin,
		summary: "Take an item out of every list, or show it again"},
		func(ctx context.Context, in *struct {
			OnItem
			Body struct {
				Hidden bool `json:"hidden"`
			}
		}) (*itemOut, error) {
			if _, err := a.shop.HideItems(ctx, []string{in.Item}, in.Body.Hidden); err != nil {
				return nil, err
			}
			return a.item(ctx, in.Item)
		})
	register(a, operation{id: "search", method: http.MethodGet, path: "/v1/items", tag: tagItems, role: live.Read,
		summary: "Search the catalogue by words", description: "All words must occur in an item's fields; of the last, its beginning may."},
		func(_ context.Context, in *struct {
			Q    string `query:"q" required:"true" minLength:"1" maxLength:"1000" doc:"words"`
			From int    `query:"from" minimum:"0" maximum:"100000" doc:"items to pass over"`
			K    int    `query:"k" minimum:"1" maximum:"100" default:"20" doc:"how many items"`
		}) (*searchOut, error) {
			found, total := a.shop.Search(in.Q, in.From, in.K)
			out := &searchOut{}
			out.Body.Total, out.Body.Items = total, []client.Item{}
			for _, it := range found {
				out.Body.Items = append(out.Body.Items, itemOf(it))
			}
			return out, nil
		})
}

type searchOut struct {
	Body struct {
		Items []client.Item `json:"items"`
		Total int           `json:"total" doc:"items that match"`
	}
}

func fieldsOf(it client.Item) dataset.Item {
	return dataset.Item{ID: it.ID, Title: it.Title, Brand: it.Brand, Categories: it.Categories, Description: it.Description, Image: it.Image, Price: it.Price}
}

// nearShown is how many ties of an item are told.
const nearShown = 10

func (a *API) item(ctx context.Context, id string) (*itemOut, error) {
	x, err := a.shop.Item(ctx, id, nearShown)
	if err != nil {
		return nil, err
	}
	out := &client.ItemState{Item: itemOf(x.Item), Text: x.Text, Hidden: x.Hidden, Changed: x.Changed, Provisional: x.Provisional, Why: x.Why}
	for _, n := range x.Near {
		out.Near = append(out.Near, client.Near{Item: n.Item.ID, Title: n.Item.Title, Via: n.Via, Weight: n.Weight, Edge: n.Edge})
	}
	return &itemOut{out}, nil
}
