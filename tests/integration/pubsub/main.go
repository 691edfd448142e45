// SPDX-License-Identifier: Apache-2.0

// Google's own fake of Pub/Sub, for the integration tests: pstest PORT CONTROL. On CONTROL, POST /publish?topic=projects/p/topics/t publishes
// each line of the body; GET /messages says what was delivered and acknowledged; GET /subscriptions has their names and topics.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	pb "cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
)

type message struct {
	ID, Data         string
	Deliveries, Acks int
}

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := pstest.NewServerWithPort(port)
	http.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // all of it, before the first word of the answer
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		for _, line := range strings.Split(string(body), "\n") {
			fmt.Fprintln(w, server.Publish(r.URL.Query().Get("topic"), []byte(line), map[string]string{"from": "test"}))
		}
	})
	http.HandleFunc("/messages", func(w http.ResponseWriter, r *http.Request) {
		all := []message{}
		for _, m := range server.Messages() {
			all = append(all, message{m.ID, string(m.Data), m.Deliveries, m.Acks})
		}
		json.NewEncoder(w).Encode(all)
	})
	http.HandleFunc("/subscriptions", func(w http.ResponseWriter, r *http.Request) {
		got, err := server.GServer.ListSubscriptions(context.Background(), &pb.ListSubscriptionsRequest{Project: "projects/p"})
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		all := map[string]string{}
		for _, s := range got.Subscriptions {
			all[s.Name] = s.Topic
		}
		json.NewEncoder(w).Encode(all)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil))
}
