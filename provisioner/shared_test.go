package provisioner_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/provisioner"
	"dialtone/templates"
)

// Phones are shared by all that is rendered at the same time: nothing of them is
// changed on the way.
func TestRenderingChangesNoPhone(t *testing.T) {
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, brand := range catalog.Brands() {
		trials, err := catalog.Trials(templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range trials {
			before := documentsOf(trial.Phone)
			for i, doc := range before {
				before[i] = doc.Clone()
			}
			for _, file := range trial.Service.FilesOf(trial.Phone) {
				if _, err := trial.Service.DeviceFile(t.Context(), trial.Phone, file.Name); err != nil && !errors.Is(err, models.ErrNotFound) {
					t.Errorf("%s as %s, %s: %v", trial.File, trial.Model.Name, file.Name, err)
				}
			}
			if diff := cmp.Diff(before, documentsOf(trial.Phone)); diff != "" {
				t.Fatalf("%s as %s: -before +after:\n%s", trial.File, trial.Model.Name, diff)
			}
		}
	}
}

// documentsOf are all that a phone is made of.
func documentsOf(phone *models.Phone) []models.Document {
	docs := []models.Document{phone.Account.Document, phone.Device.Document}
	if phone.Owner != nil {
		docs = append(docs, phone.Owner.Document)
	}
	for _, line := range phone.Lines {
		docs = append(docs, documentsOf(line.Phone)...)
	}
	return docs
}
