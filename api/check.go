package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dialtone/models"
)

// CheckAccount applies the rules of PUT /v2/accounts to a document that comes
// another way. The error names every field in a line of
// its own and is ErrInvalid.
func CheckAccount(doc models.Document) error {
	schemas, err := loadSchemas()
	if err != nil {
		return err
	}
	if realm, isText := doc["realm"].(string); isText {
		doc["realm"] = strings.ToLower(realm)
	}
	found := schemas["accounts"].settle(doc)
	var list []error
	for _, field := range slices.Sorted(maps.Keys(found)) {
		for _, code := range slices.Sorted(maps.Keys(found[field])) {
			list = append(list, fmt.Errorf("%w %s (%s): %v", models.ErrInvalid, field, code, found[field][code]["message"]))
		}
	}
	return errors.Join(list...)
}
