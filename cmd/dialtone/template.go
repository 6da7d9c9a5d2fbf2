package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"dialtone/provisioner"
	"dialtone/provisioner/author"
	"dialtone/templates"
)

func newTemplateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "template", Short: "Write templates: find mistakes, render, compare", Args: cobra.NoArgs}
	cmd.AddCommand(
		newTemplateListCommand(),
		newTemplateLintCommand(),
		newTemplateRenderCommand(),
		newTemplateExplainCommand(),
		newTemplateTestCommand(),
		newTemplateDiffCommand(),
		newTemplateDevCommand(),
		newTemplateInitCommand(),
	)
	return cmd
}

// A templateTree is the built-in tree with the folder of templates.dir over it.
type templateTree struct {
	fs.FS
	dir  string // "" = built-in only
	root *os.Root
}

// openTree opens the tree that the settings name; the caller closes it.
func openTree(cmd *cobra.Command) (*templateTree, error) {
	c, err := loadConfig(cmd, os.Environ())
	if err != nil {
		return nil, err
	}
	return openTreeAt(c.Templates.Dir)
}

func openTreeAt(dir string) (*templateTree, error) {
	if dir == "" {
		return &templateTree{FS: templates.FS}, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("template folder: %w", err)
	}
	return &templateTree{FS: provisioner.Overlay(templates.FS, root.FS()), dir: dir, root: root}, nil
}

func (t *templateTree) close() {
	if t.root != nil {
		_ = t.root.Close() // opened for reading
	}
}

func newTemplateLintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lint [BRAND...]", Short: "Find mistakes in manifests, templates and what they make",
		Long: `Find mistakes in manifests, templates and what they make: all brands, or those
named. Each finding is told with file, line and column. Exit code 3 when there
is any.`,
		RunE: func(cmd *cobra.Command, brands []string) error {
			tree, err := openTree(cmd)
			if err != nil {
				return err
			}
			defer tree.close()
			findings, err := author.Lint(cmd.Context(), tree, brands)
			if err != nil {
				return err
			}
			return printFindings(cmd, findings)
		},
	}
	addSettings(cmd, "templates.")
	addOutput(cmd)
	return cmd
}

func printFindings(cmd *cobra.Command, findings []author.Finding) error {
	if wantsJSON(cmd) {
		if err := printJSON(cmd, append([]author.Finding{}, findings...)); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintln(cmd.OutOrStdout(), f)
		}
	}
	if len(findings) == 0 {
		return nil
	}
	return outcome{exitFound, count(len(findings), "finding")}
}

// count is "1 thing" or "2 things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// withTree gives a command the tree and what is parsed of it.
func withTree(cmd *cobra.Command, work func(*templateTree, *provisioner.Catalog) error) error {
	tree, err := openTree(cmd)
	if err != nil {
		return err
	}
	defer tree.close()
	catalog, err := provisioner.Parse(tree)
	if err != nil {
		return err
	}
	return work(tree, catalog)
}

func newTemplateListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [BRAND...]", Short: "List models, their files, and the templates that make them",
		RunE: func(cmd *cobra.Command, brands []string) error {
			return withTree(cmd, func(_ *templateTree, catalog *provisioner.Catalog) error {
				if err := author.CheckBrands(catalog, brands...); err != nil {
					return err
				}
				t := table{columns: []string{"brand", "family", "model", "role", "file", "template"}}
				for _, l := range author.List(catalog, brands) {
					t.add(l.Brand, l.Family, l.Model, l.Role, l.File, l.Template)
				}
				return t.print(cmd)
			})
		},
	}
	addSettings(cmd, "templates.")
	addOutput(cmd)
	return cmd
}

func newTemplateInitCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "init BRAND", Short: "Begin a brand: manifest, templates, samples, dictionary, goldens", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := author.Init(cmd.Context(), templates.FS, dir, args[0])
			if err != nil {
				return err
			}
			t := table{columns: []string{"file"}}
			for _, file := range files {
				t.add(file)
			}
			return t.print(cmd)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "folder to begin it in; --templates.dir of other commands")
	addOutput(cmd)
	return cmd
}

func newTemplateTestCommand() *cobra.Command {
	var update bool
	cmd := &cobra.Command{
		Use: "test [BRAND...]", Short: "Compare what samples give with their goldens",
		Long: `Compare what samples give with their goldens: of the brands in templates.dir,
else of all that are built in, or of those named. Exit code 4 when there is a
difference. -update writes the goldens into templates.dir instead.`,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, os.Environ())
			if err == nil && update && c.Templates.Dir == "" {
				return errors.New("-update needs templates.dir: the folder to write to")
			}
			return err
		},
		RunE: func(cmd *cobra.Command, brands []string) error {
			return withTree(cmd, func(tree *templateTree, catalog *provisioner.Catalog) error {
				if err := author.CheckBrands(catalog, brands...); err != nil {
					return err
				}
				if len(brands) == 0 {
					brands = tree.brands(catalog)
				}
				return testTemplates(cmd, tree, catalog, brands, update)
			})
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "write the goldens into templates.dir")
	addSettings(cmd, "templates.")
	addOutput(cmd)
	return cmd
}

// brands are those that the folder has a part of, all without a folder.
func (t *templateTree) brands(catalog *provisioner.Catalog) []string {
	if t.dir == "" {
		return catalog.Brands()
	}
	var brands []string
	for _, brand := range catalog.Brands() {
		if info, err := t.root.Stat(brand); err == nil && info.IsDir() {
			brands = append(brands, brand)
		}
	}
	return brands
}

func testTemplates(cmd *cobra.Command, tree *templateTree, catalog *provisioner.Catalog, brands []string, update bool) error {
	all := &author.Groups{}
	for _, brand := range brands {
		rendered, err := author.RenderGoldens(cmd.Context(), catalog, tree, brand)
		if err != nil {
			return err
		}
		if update {
			if err := author.WriteGoldens(tree.dir, brand, rendered); err != nil {
				return err
			}
			continue
		}
		goldens, err := author.ReadGoldens(tree, brand)
		if err != nil {
			return err
		}
		all.List = append(all.List, goldens.Compare(rendered).List...)
	}
	return printGroups(cmd, all, "file")
}

// printGroups prints what differs in the same way together.
func printGroups(cmd *cobra.Command, groups *author.Groups, thing string) error {
	differing := groups.Rest
	for _, g := range groups.List {
		differing += g.Count
	}
	if wantsJSON(cmd) {
		if err := printJSON(cmd, append([]*author.Group{}, groups.List...)); err != nil {
			return err
		}
	} else {
		for _, g := range groups.List {
			fmt.Fprintln(cmd.OutOrStdout(), g)
		}
	}
	if differing == 0 {
		return nil
	}
	text := count(differing, thing)
	if differing == 1 {
		text += " differs"
	} else {
		text += " differ, in " + count(len(groups.List), "way")
	}
	if groups.Rest > 0 {
		text += fmt.Sprintf("; %d of them are not shown", groups.Rest)
	}
	return outcome{exitDiffer, text}
}

func newTemplateDevCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dev [BRAND...]", Short: "Watch templates.dir and show what each change makes of the samples",
		Long: `Watch templates.dir. After each change the samples that depend on it are
rendered anew, and what differs from before is shown, or what is wrong. Brands
are those in the folder, or those named.`,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, os.Environ())
			if err == nil && c.Templates.Dir == "" {
				return errors.New("templates.dir is missing: the folder to watch")
			}
			return err
		},
		RunE: func(cmd *cobra.Command, brands []string) error {
			tree, err := openTree(cmd)
			if err != nil {
				return err
			}
			defer tree.close()
			if catalog, err := provisioner.Parse(tree); err == nil && len(brands) == 0 {
				brands = tree.brands(catalog)
			}
			return author.Dev(cmd.Context(), templates.FS, tree.dir, brands, func(u author.Update) { showUpdate(cmd, u) })
		},
	}
	addSettings(cmd, "templates.")
	return cmd
}

func showUpdate(cmd *cobra.Command, u author.Update) {
	out := cmd.OutOrStdout()
	for _, f := range u.Mistakes {
		fmt.Fprintln(out, f)
	}
	for _, g := range u.Groups {
		fmt.Fprintln(out, g)
	}
	switch {
	case u.Done:
		fmt.Fprintf(out, "%s rendered, %d ms after the change\n\n", count(u.Rendered, "file"), u.Took.Milliseconds())
	case len(u.Mistakes)+len(u.Groups) > 0:
		fmt.Fprintf(out, "first of each sample, %d ms after the change\n\n", u.Took.Milliseconds())
	}
}
