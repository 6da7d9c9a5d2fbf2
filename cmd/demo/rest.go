package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// object is a JSON object.
type object = map[string]any

// A restClient talks to the REST API as any HTTP client would.
type restClient struct {
	base  string // "http://127.0.0.1:8000/v2"
	token string
	http  http.Client
}

// An envelope is what every answer of the API comes in.
type envelope struct {
	Data      json.RawMessage `json:"data"`
	AuthToken string          `json:"auth_token"`
	Status    string          `json:"status"`
	Message   string          `json:"message"`
}

// call sends data, in its envelope, and reads the answer's data into out. An
// answer other than 2xx is an error with the API's own words.
func (c *restClient) call(ctx context.Context, method, path string, data, out any) (envelope, error) {
	var e envelope
	var body io.Reader
	if data != nil {
		raw, err := json.Marshal(object{"data": data})
		if err != nil {
			return e, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return e, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("X-Auth-Token", c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return e, err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&e); err != nil {
		return e, fmt.Errorf("%s %s: %s: %w", method, path, res.Status, err)
	}
	if res.StatusCode/100 != 2 {
		return e, fmt.Errorf("%s %s: %s: %s %s", method, path, res.Status, e.Message, e.Data)
	}
	if out == nil {
		return e, nil
	}
	return e, json.Unmarshal(e.Data, out)
}

// poll repeats a check until it holds; its last complaint is the error when it
// does not within waitTime, or cannot any more because a program has ended.
func poll(ctx context.Context, check func() error) error {
	deadline := time.Now().Add(waitTime)
	for {
		err := check()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s: %w", waitTime, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
