package api

import (
	"encoding/base64"
	"strconv"

	"dialtone/models"
)

const (
	defaultPage = 50
	maxChunk    = 50
	maxPage     = 1000   // a larger page_size gets this many, and a next_start_key
	maxRead     = 10_000 // documents that one page may read in search of what its filters let through
	maxUnpaged  = 20_000 // a list of more documents than this must be paged
	maxBatch    = 500    // documents read at once
)

// A collection is a list of documents that clients filter and page.
type collection[T any] struct {
	fetch   func(models.Listing) ([]T, error)
	id      func(T) string
	record  func(T) record // what filters see
	summary func(T) map[string]any
}

// A page says which part of a list an answer is.
type page struct {
	count int    // entries in it
	start string // key of this page, "" for the first
	next  string // key of the next page, "" for the last
}

// list answers one page of a collection, or all of it when paginate is "false".
func list[T any](r *request, c collection[T]) (*answer, error) {
	filters, err := parseFilters(r.query)
	if err != nil {
		return nil, err
	}
	part, err := r.listing()
	if err != nil {
		return nil, err
	}
	part.Where = filters.matches()
	if r.parameter("paginate") == "false" {
		return c.listAll(part, filters)
	}
	found, err := c.read(part, filters, part.Limit+1, maxRead)
	if err != nil {
		return nil, err
	}
	p := &page{start: r.parameter("start_key")}
	switch {
	case len(found.entries) > part.Limit:
		found.entries = found.entries[:part.Limit]
		p.next = startKey(found.entries[part.Limit-1].(map[string]any)["id"].(string))
	case !found.complete:
		p.next = startKey(found.last)
	}
	p.count = len(found.entries)
	return listed(found.entries, p), nil
}

// listAll answers the whole of a collection, whatever part was asked for.
func (c collection[T]) listAll(part models.Listing, filters filters) (*answer, error) {
	part.After = ""
	found, err := c.read(part, filters, maxUnpaged+1, maxUnpaged+1)
	if err != nil {
		return nil, err
	}
	if found.read > maxUnpaged {
		return nil, fault("range not satisfiable", "the list is too long to be answered at once")
	}
	return listed(found.entries, nil), nil
}

// idPage answers one page of a list of ids if the request asks for pages, else all
// of it: most clients want that, and never heard of pages here.
func (r *request) idPage(fetch func(after string, limit int) ([]string, error)) ([]string, *page, error) {
	part, err := r.listing()
	if err != nil {
		return nil, nil, err
	}
	paged := r.parameter("page_size") != "" || part.After != ""
	if !paged {
		part.Limit = maxUnpaged
	}
	ids, err := fetch(part.After, part.Limit+1)
	if err != nil {
		return nil, nil, err
	}
	p := &page{count: min(len(ids), part.Limit), start: r.parameter("start_key")}
	if len(ids) > part.Limit {
		ids = ids[:part.Limit]
		p.next = startKey(ids[part.Limit-1])
	}
	switch {
	case paged:
		return ids, p, nil
	case p.next != "":
		return nil, nil, fault("range not satisfiable", "the list is too long to be answered at once")
	}
	return ids, nil, nil
}

// listing reads the paging parameters.
func (r *request) listing() (models.Listing, error) {
	if err := r.checkChunks(); err != nil {
		return models.Listing{}, err
	}
	size, err := r.pageSize()
	if err != nil {
		return models.Listing{}, err
	}
	start := r.parameter("start_key")
	after, err := base64.RawURLEncoding.DecodeString(start)
	if err != nil || start != "" && !models.ValidID(string(after)) {
		return models.Listing{}, badStartKey()
	}
	return models.Listing{After: string(after), Descending: r.descending(), Limit: size}, nil
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

// checkChunks refuses a chunk_size that makes no sense. An answer is the same in
// chunks or not: how it is cut up on the wire is HTTP's affair.
func (r *request) checkChunks() error {
	text := r.parameter("chunk_size")
	size, err := strconv.Atoi(text)
	if text != "" && (err != nil || size < 1 || size > maxChunk) {
		return fault("faulty_request", "chunk_size must be a number from 1 to 50")
	}
	return nil
}

func badStartKey() error { return fault("faulty_request", "start_key is not from an earlier answer") }

// descending is the direction of a list: upwards unless asked for.
func (r *request) descending() bool {
	if text := r.parameter("descending"); text != "" {
		return text == "true"
	}
	return r.parameter("ascending") == "false"
}

// startKey names the page that follows the document with this id. It tells a
// client nothing, and stays good when that document is deleted.
func startKey(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }

// A finding is what was found in a part of a collection.
type finding struct {
	entries  []any  // summaries of what the filters let through
	read     int    // documents looked at
	last     string // id of the last one of them
	complete bool   // the list ended there
}

// read goes through a collection until it has found want documents that the
// filters let through, has read most, or the collection ends.
func (c collection[T]) read(part models.Listing, filters filters, want, most int) (finding, error) {
	found := finding{entries: []any{}}
	for size := want; ; size *= 2 { // a filter that lets little through gets larger batches
		part.Limit = min(size, maxBatch, most-found.read)
		batch, err := c.fetch(part)
		if err != nil {
			return found, err
		}
		for _, document := range batch {
			found.read++
			found.last = c.id(document)
			if len(filters) == 0 || filters.keep(c.record(document)) {
				found.entries = append(found.entries, c.summary(document))
			}
			if len(found.entries) == want {
				return found, nil
			}
		}
		if found.complete = len(batch) < part.Limit; found.complete || found.read >= most {
			return found, nil
		}
		part.After = found.last
	}
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
