package provisioner_test

import (
	"testing"

	"dialtone/provisioner"
	"dialtone/provisioner/author"
	"dialtone/templates"
)

// Every file of every model of every brand with every sample is what its
// golden says.
func TestGoldens(t *testing.T) {
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, brand := range catalog.Brands() {
		rendered, err := author.RenderGoldens(t.Context(), catalog, templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		if *provisioner.Update {
			if err := author.WriteGoldens("../templates", brand, rendered); err != nil {
				t.Fatal(err)
			}
			continue
		}
		goldens, err := author.ReadGoldens(templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range goldens.Compare(rendered).List {
			t.Errorf("%s: go test ./provisioner -run Goldens -update rewrites the goldens (-golden +rendered):\n%s", brand, group)
		}
	}
}
