package api

import (
	"context"
	"maps"
	"slices"

	"dialtone/models"
	"dialtone/provisioner"
)

// listBrands serves GET /v2/provisioner/brands: the brands that can be set up.
func (s *server) listBrands(context.Context, *request) (*answer, error) {
	catalog := s.Catalog()
	out := []any{}
	for _, name := range catalog.Brands() {
		manifest, _ := catalog.Manifest(name)
		models := 0
		for _, family := range manifest.Families {
			models += len(family.Models)
		}
		out = append(out, map[string]any{
			"id": name, "name": manifest.Label, "families": sortedNames(manifest.Families), "models": models,
		})
	}
	return listed(out, nil), nil
}

// showBrand serves GET /v2/provisioner/brands/{brand}: what holds for all its
// models, and its families with their models.
func (s *server) showBrand(_ context.Context, r *request) (*answer, error) {
	catalog := s.Catalog()
	name := r.params.ByName("brand")
	manifest, found := catalog.Manifest(name)
	if !found {
		return nil, notFound(models.ErrNotFound, name)
	}
	families := []any{}
	for _, id := range sortedNames(manifest.Families) {
		families = append(families, publicFamily(catalog, manifest, id))
	}
	return ok(map[string]any{
		"id":                name,
		"name":              manifest.Label,
		"ouis":              texts(manifest.OUIs),
		"families":          families,
		"combo_key_types":   sortedNames(manifest.Keys.Combo.Codes),
		"feature_key_types": sortedNames(manifest.Keys.Feature.Codes),
		"codecs":            codecNames(manifest.Codecs),
		"video_codecs":      codecNames(manifest.VideoCodecs),
		"languages":         sortedNames(manifest.Languages),
		"transports":        sortedNames(manifest.Transports),
		"template_ids":      texts(catalog.TemplateIDs(name)),
		"files":             publicRules(manifest.Files),
	}), nil
}

// showFamily serves GET /v2/provisioner/brands/{brand}/{family}.
func (s *server) showFamily(_ context.Context, r *request) (*answer, error) {
	catalog := s.Catalog()
	name, family := r.params.ByName("brand"), r.params.ByName("family")
	manifest, found := catalog.Manifest(name)
	if !found {
		return nil, notFound(models.ErrNotFound, name)
	}
	if _, found := manifest.Families[family]; !found {
		return nil, notFound(models.ErrNotFound, family)
	}
	out := publicFamily(catalog, manifest, family)
	out["brand"] = name
	out["template_ids"] = texts(catalog.TemplateIDs(name))
	return ok(out), nil
}

func publicFamily(catalog *provisioner.Catalog, manifest *provisioner.Manifest, id string) map[string]any {
	family := manifest.Families[id]
	list := []any{}
	for _, name := range sortedNames(family.Models) {
		model := catalog.Model(manifest.Brand, id, name)
		keys := manifest.Keys
		attributes := map[string]string{}
		maps.Copy(attributes, model.Attributes)
		list = append(list, map[string]any{
			"id":           name,
			"name":         model.Label,
			"aliases":      texts(family.Models[model.Name].Aliases),
			"lines":        model.Lines,
			"line_keys":    model.LineKeys,
			"combo_keys":   room(keys.Combo, model.Keys()),
			"feature_keys": room(keys.Feature, model.Keys()),
			"attributes":   attributes,

			"expansion_modules": model.ExpansionModules,
			"expansion_keys":    model.ExpansionKeys,
		})
	}
	return map[string]any{"id": id, "name": family.Label, "models": list}
}

func codecNames(rules []provisioner.CodecRule) []string {
	names := []string{}
	for _, rule := range rules {
		names = append(names, rule.Names...)
	}
	return names
}

// room is how many keys of a container, numbered from 0, have a place on the
// phone and its expansion modules.
func room(rule provisioner.KeyRule, all int) int {
	if len(rule.Codes) == 0 {
		return 0
	}
	return max(0, all-rule.First+1)
}

func publicRules(rules []provisioner.FileRule) []any {
	out := []any{}
	for _, rule := range rules {
		out = append(out, map[string]any{
			"role": rule.Role, "path": rule.Path, "content_type": rule.ContentType, "settings": rule.Settings,
			"upload": rule.Upload != nil, "override": rule.Override,
		})
	}
	return out
}

func sortedNames[V any](m map[string]V) []string { return texts(slices.Sorted(maps.Keys(m))) }

// texts is a list of JSON strings: empty, never null.
func texts(list []string) []string { return append([]string{}, list...) }
