package author

import (
	"fmt"
	"strings"

	"dialtone/internal/nearest"
	"dialtone/provisioner"
)

// A Listed is a file of a model, and the template that makes it.
type Listed struct {
	Brand    string `json:"brand"`
	Family   string `json:"family"`
	Model    string `json:"model"`
	Role     string `json:"role"`
	File     string `json:"file"`     // path as in the manifest, with the model's attributes
	Template string `json:"template"` // "" when there is none: it is kept for phones that store it
}

// List is every file of every model of some brands, of all when none is named.
func List(catalog *provisioner.Catalog, brands []string) []Listed {
	if len(brands) == 0 {
		brands = catalog.Brands()
	}
	var all []Listed
	for _, brand := range brands {
		for _, m := range catalog.Models(brand) {
			for _, file := range catalog.ModelFiles(m) {
				all = append(all, Listed{m.Brand, m.Family, m.Name, file.Rule.Role, file.Name, catalog.TemplateFor(m, "", file.Rule)})
			}
		}
	}
	return all
}

// CheckBrands refuses brands that there are not.
func CheckBrands(catalog *provisioner.Catalog, brands ...string) error {
	for _, brand := range brands {
		if _, ok := catalog.Manifest(brand); !ok {
			return &provisioner.FileError{File: "brand " + brand, Reason: "there is no such brand", Hint: nearest.Hint(brand, catalog.Brands())}
		}
	}
	return nil
}

// CheckModel refuses names of models that a brand's manifest does not list.
func CheckModel(catalog *provisioner.Catalog, brand, name string) error {
	if err := CheckBrands(catalog, brand); err != nil {
		return err
	}
	var names []string
	for _, known := range catalog.Models(brand) {
		if known.Name == catalog.Model(brand, "", name).Name {
			return nil
		}
		names = append(names, known.Name)
	}
	return &provisioner.FileError{File: "model " + name, Reason: "the manifest of " + brand + " does not list it", Hint: nearest.Hint(strings.ToLower(name), names)}
}

// FindModel finds the brand of a model's name or alias, or takes it from
// "brand/model".
func FindModel(catalog *provisioner.Catalog, name string) (brand, model string, err error) {
	if brand, model, ok := strings.Cut(name, "/"); ok {
		return brand, model, CheckModel(catalog, brand, model)
	}
	var brands, names []string
	for _, brand := range catalog.Brands() {
		m := catalog.Model(brand, "", name)
		for _, other := range catalog.Models(brand) {
			names = append(names, other.Name)
			if other.Name == m.Name {
				brands = append(brands, brand)
			}
		}
	}
	switch len(brands) {
	case 0:
		hint := nearest.Hint(strings.ToLower(name), names)
		return "", "", &provisioner.FileError{File: "model " + name, Reason: "no manifest lists it", Hint: hint}
	case 1:
		return brands[0], name, nil
	}
	return "", "", fmt.Errorf("model %s is of several brands: %s; write brand/%s", name, strings.Join(brands, ", "), name)
}
