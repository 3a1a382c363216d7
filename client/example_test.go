package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/mllmrec/mllmrec/client"
)

// A list for a user, and the purchase that came of it. The server here is a stand-in; yours is 'mllmrec serve shop.ws'.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"receipts":[{"seq":1}]}`)
			return
		}
		fmt.Fprint(w, `{"request":"5f1c","items":[{"rank":1,"item":"lamp-03","title":"Warm lamp","score":2.5,"because":[{"item":"lamp-01","title":"Desk lamp","via":"chosen together","weight":12}]}]}`)
	}))
	defer server.Close()
	ctx := context.Background()
	shop := client.New(server.URL, "")
	list, err := shop.ForUser(ctx, "u42", 1)
	if err != nil {
		log.Fatal(err)
	}
	best := list.Items[0]
	fmt.Println(best.Title, "because", best.Because[0].Weight, "people chose it and", best.Because[0].Title)
	receipts, err := shop.Feedback(ctx, client.Event{Key: "order-7-1", User: "u42", Item: best.Item, Type: "purchase", Request: list.Request})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("event", receipts[0].Seq, "is durable")
	// Output:
	// Warm lamp because 12 people chose it and Desk lamp
	// event 1 is durable
}
