package api

import (
	"encoding/base64"
	"strconv"

	"dialtone/models"
)

const (
	defaultPage  = 50
	maxPage      = 1000   // a larger page_size gets this many, and a next_start_key
	maxUnpaged   = 20_000 // more documents than this must be paged
	unpagedBatch = 500
)

// A page says which part of a list an answer is.
type page struct {
	count int    // entries in it
	start string // key of this page, "" for the first
	next  string // key of the next page, "" for the last
}

// pageOf reads the paging parameters. A key names the last id before its page,
// so that a page starts right even after documents were deleted.
func (r *request) pageOf() (start, after string, size int, err error) {
	if size, err = r.pageSize(); err != nil {
		return "", "", 0, err
	}
	start = r.parameter("start_key")
	raw, err := base64.RawURLEncoding.DecodeString(start)
	if err != nil || start != "" && !models.ValidID(string(raw)) {
		return "", "", 0, badStartKey()
	}
	return start, string(raw), size, nil
}

func (r *request) pageSize() (int, error) {
	text := r.parameter("page_size")
	if text == "" {
		return defaultPage, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 1 {
		return 0, fault("faulty_request", "page_size must be a number of at least 1")
	}
	return min(size, maxPage), nil
}

func badStartKey() error { return fault("faulty_request", "start_key is not from an earlier answer") }

// list answers one page of documents, or all of them when paginate is "false".
// fetch reads at most limit documents by ascending id, from the one that
// follows after.
func list[T any](r *request, fetch func(after string, limit int) ([]T, error), summary func(T) map[string]any) (*answer, error) {
	if r.parameter("paginate") == "false" {
		return listAll(fetch, summary)
	}
	start, after, size, err := r.pageOf()
	if err != nil {
		return nil, err
	}
	found, err := fetch(after, size+1)
	if err != nil {
		return nil, err
	}
	more := len(found) > size
	entries := summaries(found[:min(len(found), size)], summary)
	p := &page{count: len(entries), start: start}
	if more {
		p.next = base64.RawURLEncoding.EncodeToString([]byte(lastID(entries)))
	}
	return listed(entries, p), nil
}

func listAll[T any](fetch func(after string, limit int) ([]T, error), summary func(T) map[string]any) (*answer, error) {
	entries, after := []any{}, ""
	for {
		found, err := fetch(after, unpagedBatch)
		if err != nil {
			return nil, err
		}
		entries = append(entries, summaries(found, summary)...)
		if len(found) < unpagedBatch {
			return listed(entries, nil), nil
		}
		if len(entries) > maxUnpaged {
			return nil, fault("range not satisfiable", "the list is too long to be answered at once")
		}
		after = lastID(entries)
	}
}

func summaries[T any](found []T, summary func(T) map[string]any) []any {
	out := make([]any, 0, len(found))
	for _, one := range found {
		out = append(out, summary(one))
	}
	return out
}

func lastID(entries []any) string {
	return entries[len(entries)-1].(map[string]any)["id"].(string)
}

// listed answers with a list. Its revision is a hash of what is answered.
func listed(entries []any, p *page) *answer {
	a := &answer{data: entries, page: p}
	tag := encode(entries, "")
	if len(entries) > 0 {
		a.revision = hash(tag)
	}
	if p != nil {
		tag = append(tag, p.next...)
	}
	a.etag = hash(tag)
	return a
}
