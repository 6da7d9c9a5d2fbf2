package api

import (
	"strings"

	"dialtone/models"
)

// merge lays a PATCH over a stored document: objects merge, null deletes, an
// empty object and everything else replaces. Neither argument changes.
func merge(stored, patch models.Document) models.Document {
	out := stored.Clone()
	mergeInto(out, patch.Clone())
	return out
}

func mergeInto(stored, patch map[string]any) {
	for name, v := range patch {
		object, isObject := v.(map[string]any)
		switch {
		case v == nil:
			delete(stored, name)
		case isObject && len(object) > 0:
			before, present := stored[name]
			below, _ := before.(map[string]any)
			if below == nil {
				below = map[string]any{}
			}
			mergeInto(below, object)
			if present || len(below) > 0 { // to delete from nothing makes nothing
				stored[name] = below
			}
		default:
			stored[name] = v
		}
	}
}

// dropPrivate removes the private top-level members. "_id" is understood as "id".
func dropPrivate(doc models.Document) {
	if id, sent := doc["_id"]; sent && doc["id"] == nil {
		doc["id"] = id
	}
	for name := range doc {
		if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "pvt_") {
			delete(doc, name)
		}
	}
}

// takeID removes "id" and returns the one that a client chose for a new
// document, "" when it chose none.
func takeID(doc models.Document) (string, problems) {
	v, sent := doc["id"]
	delete(doc, "id")
	id, isText := v.(string)
	switch {
	case !sent || v == nil:
		return "", nil
	case !isText || !models.ValidID(id):
		p := problems{}
		p.add("id", "pattern", "not an id", detail{"target": "^[0-9a-f]{32}$", "value": v})
		return "", p
	}
	return id, nil
}

// takeSync removes "sync" and reports whether it was on. Its companion
// "reboot", see syncMode, is a parameter too and not stored.
func takeSync(doc models.Document) bool {
	v := doc["sync"]
	delete(doc, "sync")
	delete(doc, "reboot")
	return v == true || v == "true"
}

// publicDocument is a stored document as it is answered.
func publicDocument(doc models.Document, id string) map[string]any {
	out := make(map[string]any, len(doc)+1)
	for name, v := range doc {
		out[name] = v
	}
	out["id"] = id
	return out
}

// objectAt is the object at a dotted path, nil when there is none.
func objectAt(doc models.Document, path string) map[string]any {
	v, _ := doc.Lookup(path)
	object, _ := v.(map[string]any)
	return object
}

// copyMembers copies those of the named members that exist.
func copyMembers(to map[string]any, from models.Document, names ...string) {
	for _, name := range names {
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
}
