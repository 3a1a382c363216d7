// Package client asks a shop that 'mllmrec serve' serves, over HTTP.
//
//	shop := client.New("http://127.0.0.1:8080", os.Getenv("SHOP_KEY"))
//	list, err := shop.ForUser(ctx, "u42", 10)
//	list, err = shop.Recommend(ctx, client.Question{Text: "a warm light beside the bed"})
//	_, err = shop.Feedback(ctx, client.Event{Key: "order-7-1", User: "u42", Item: "lamp-03", Type: "purchase", Request: list.Request})
//
// Every call is one request and may be tried again: what stores something is idempotent where its key is given.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client asks one server. It is safe for concurrent use.
type Client struct {
	base, key string
	HTTP      *http.Client // http.DefaultClient unless set
}

// New makes a client of the server at an address such as http://127.0.0.1:8080. key is an API key; empty where the server has none.
func New(address, key string) *Client {
	return &Client{base: strings.TrimRight(address, "/"), key: key, HTTP: http.DefaultClient}
}

// Address is that of the server.
func (c *Client) Address() string { return c.base }

// Error is an answer that is none: its status, and what the server says.
type Error struct {
	Problem
}

func (e *Error) Error() string {
	text := fmt.Sprintf("the server answers %d: %s", e.Status, e.Detail)
	for _, more := range e.Errors {
		text += fmt.Sprintf("; %s: %s", more.Location, more.Message)
	}
	return text
}

// ForUser recommends k items to a known user.
func (c *Client) ForUser(ctx context.Context, user string, k int) (*List, error) {
	return call[List](ctx, c, http.MethodGet, "/v1/users/"+url.PathEscape(user)+"/recommendations?k="+strconv.Itoa(k), nil)
}

// Recommend answers a question: somebody's history, a sentence, or both, with filters.
func (c *Client) Recommend(ctx context.Context, q Question) (*List, error) {
	return call[List](ctx, c, http.MethodPost, "/v1/recommendations", q)
}

// Similar returns the k items that are most like one.
func (c *Client) Similar(ctx context.Context, item string, k int) (*List, error) {
	return call[List](ctx, c, http.MethodGet, "/v1/items/"+url.PathEscape(item)+"/similar?k="+strconv.Itoa(k), nil)
}

// Explain takes the score of an item for a user apart.
func (c *Client) Explain(ctx context.Context, user, item string) (*Explanation, error) {
	return call[Explanation](ctx, c, http.MethodGet, "/v1/users/"+url.PathEscape(user)+"/explanations/"+url.PathEscape(item), nil)
}

// Preference returns what the shop believes of a user in words.
func (c *Client) Preference(ctx context.Context, user string) (*Preference, error) {
	return call[Preference](ctx, c, http.MethodGet, "/v1/users/"+url.PathEscape(user)+"/preference", nil)
}

// EditPreference replaces it. The next list heeds it.
func (c *Client) EditPreference(ctx context.Context, user string, e Edit) (*Preference, error) {
	return call[Preference](ctx, c, http.MethodPut, "/v1/users/"+url.PathEscape(user)+"/preference", e)
}

// Feedback stores events, all or none; when it returns without an error they are durable, and the next list heeds them.
func (c *Client) Feedback(ctx context.Context, events ...Event) ([]Receipt, error) {
	r, err := call[struct {
		Receipts []Receipt `json:"receipts"`
	}](ctx, c, http.MethodPost, "/v1/feedback", map[string]any{"events": events})
	if err != nil {
		return nil, err
	}
	return r.Receipts, nil
}

// Item returns an item as it is now, with its strongest ties.
func (c *Client) Item(ctx context.Context, id string) (*ItemState, error) {
	return call[ItemState](ctx, c, http.MethodGet, "/v1/items/"+url.PathEscape(id), nil)
}

// PutItem adds an item or changes it. The next list heeds it.
func (c *Client) PutItem(ctx context.Context, it Item) (*ItemState, error) {
	return call[ItemState](ctx, c, http.MethodPut, "/v1/items/"+url.PathEscape(it.ID), it)
}

// HideItem takes an item out of every list, or shows it again.
func (c *Client) HideItem(ctx context.Context, id string, hidden bool) (*ItemState, error) {
	return call[ItemState](ctx, c, http.MethodPut, "/v1/items/"+url.PathEscape(id)+"/hidden", map[string]bool{"hidden": hidden})
}

// Info says what is served.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	return call[Info](ctx, c, http.MethodGet, "/v1/info", nil)
}

// mostBody bounds an answer that is read.
const mostBody = 64 << 20

func call[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostBody))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		e := &Error{Problem{Status: resp.StatusCode, Detail: http.StatusText(resp.StatusCode)}}
		json.Unmarshal(raw, &e.Problem) //nolint:errcheck // a proxy's page is no problem of ours: its status says enough
		e.Status = resp.StatusCode
		return nil, e
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return out, nil
}
