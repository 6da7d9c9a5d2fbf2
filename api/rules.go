package api

import (
	"sync"

	"dialtone/models"
)

// Rules are what documents must follow, whichever way they come in. They make a
// document what is stored, and report together all that is wrong with it.
type rules struct {
	schemas schemas
	store   Store // knows which values are in use
	settle  func(*schema, models.Document) problems
}

// compiledSchemas are the schemas of this program, compiled once.
var compiledSchemas = sync.OnceValues(loadSchemas)

func newRules(store Store) (rules, error) {
	schemas, err := compiledSchemas()
	return rules{schemas: schemas, store: store, settle: (*schema).settle}, err
}
