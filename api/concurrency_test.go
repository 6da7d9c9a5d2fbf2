package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"dialtone/models"
)

// fill stores n devices of the master account and gives their ids, sorted.
func (b *bench) fill(n int) []string {
	b.Helper()
	ids := make([]string, 0, n)
	for part := range slices.Chunk(make([]*models.Device, n), 1000) {
		for i := range part {
			part[i] = &models.Device{AccountID: b.master.ID}
			doc := models.Document{"name": "filler", "mac_address": fmt.Sprintf("02%010x", len(ids)+i)}
			if err := part[i].SetDocument(doc); err != nil {
				b.Fatal(err)
			}
		}
		if err := b.store.ImportDevices(b.Context(), part, allGood); err != nil {
			b.Fatal(err)
		}
		for _, d := range part {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// allGood has an import stored when no device of it is refused.
func allGood(taken map[int]*models.TakenError) bool { return len(taken) == 0 }

// A walk over a list that changes meanwhile sees what is there throughout
// exactly once, in order, in both directions.
func TestWalkWhileListChanges(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		stay := b.fill(5000)
		cfg := b.config
		cfg.Log = slog.New(slog.DiscardHandler)
		b.handler = b.serve(cfg)
		for _, query := range []string{"page_size=7", "page_size=7&descending=true"} {
			pages, churned := make(chan struct{}, 1), make(chan int)
			go func() { churned <- b.churn(pages) }()
			seen := b.walk(b.devices(), query, pages)
			close(pages)
			if n := <-churned; n < 20 {
				t.Errorf("%s: only %d changes during the walk", query, n)
			}

			if query != "page_size=7" {
				slices.Reverse(seen)
			}
			if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
				t.Errorf("%s: the list is out of order or repeats itself", query)
			}
			kept := map[string]bool{}
			for _, id := range seen {
				kept[id] = true
			}
			missed := 0
			for _, id := range stay {
				if !kept[id] {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("%s: %d of %d devices missed", query, missed, len(stay))
			}
		}
	})
}

// churn creates and deletes devices beside a walk, one for every few pages,
// and counts them.
func (b *bench) churn(pages <-chan struct{}) int {
	var paths []string
	n := 0
	for range pages {
		if n++; n%4 != 0 {
			continue
		}
		r := b.do("PUT", b.devices(), `{"data":{"name":"passing"}}`)
		if r.status != http.StatusCreated {
			b.Errorf("create: %d %s", r.status, r.body)
		}
		paths = append(paths, r.header.Get("Location"))
		if len(paths) == 20 { // deletes somewhere in the list, not the newest
			if r := b.do("DELETE", paths[n%20], ""); r.status != http.StatusOK {
				b.Errorf("delete: %d %s", r.status, r.body)
			}
			paths = slices.Delete(paths, n%20, n%20+1)
		}
	}
	return n / 4
}

// together calls n functions at once and waits for all of them.
func together(n int, call func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}

func TestConcurrentCreatesOfOneMAC(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		replies := make([]*reply, 16)
		together(len(replies), func(i int) {
			replies[i] = b.do("PUT", b.devices(), fmt.Sprintf(`{"data":{"name":"x%d","mac_address":"00:15:65:aa:bb:cc"}}`, i))
		})
		won := 0
		for _, r := range replies {
			if r.status == http.StatusCreated {
				won++
				continue
			}
			r.rejects("mac_address: unique")
			if r.at("mac_address") == nil {
				t.Errorf("answer %s", r.body)
			}
		}
		if got := b.do("GET", b.devices(), "").names(); won != 1 || len(got) != 1 {
			t.Errorf("%d creates won, %d devices, want one of each", won, len(got))
		}
	})
}

// Of many who change one document at once nobody is turned away, and nothing
// that was answered is lost.
func TestConcurrentPatches(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		user := b.users() + "/" + b.do("PUT", b.users(), `{"data":{"first_name":"Ann","last_name":"Lee"}}`).want(http.StatusCreated).id()
		for path, writers := range map[string]int{b.device(`{"name":"x"}`): 50, user: 10, "/v2/accounts/" + b.master.ID: 10} {
			replies := make([]*reply, writers)
			together(writers, func(i int) {
				replies[i] = b.do("PATCH", path, fmt.Sprintf(`{"data":{"custom":{"field%d":%d}}}`, i, i))
			})
			final := b.do("GET", path, "").want(http.StatusOK)
			for i, r := range replies {
				stored := final.at(fmt.Sprintf("custom.field%d", i))
				if r.status != http.StatusOK || fmt.Sprint(stored) != fmt.Sprint(i) {
					t.Errorf("%s: PATCH of field%d answered %d, stored is %v", path, i, r.status, stored)
				}
			}
			if revision, _ := final.envelope["revision"].(string); !strings.HasPrefix(revision, fmt.Sprintf("%d-", writers+1)) {
				t.Errorf("%s: revision %s after %d PATCHes", path, revision, writers)
			}
		}
	})
}

// A DELETE among many PATCHes succeeds too; who comes after it finds nothing.
func TestDeleteAmongPatches(t *testing.T) {
	const writers = 30
	eachDatabase(t, func(t *testing.T, b *bench) {
		path := b.device(`{"name":"x"}`)
		replies := make([]*reply, writers)
		together(writers, func(i int) {
			if i == 0 {
				replies[i] = b.do("DELETE", path, "")
				return
			}
			replies[i] = b.do("PATCH", path, fmt.Sprintf(`{"data":{"custom":%d}}`, i))
		})
		replies[0].want(http.StatusOK)
		for _, r := range replies[1:] {
			if r.status != http.StatusOK {
				r.fails(http.StatusNotFound, "bad_identifier")
			}
		}
		b.do("GET", path, "").fails(http.StatusNotFound, "bad_identifier")
	})
}
