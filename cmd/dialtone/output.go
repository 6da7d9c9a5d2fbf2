package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// A table is what a command prints: rows of text under column names.
type table struct {
	columns []string
	rows    [][]string
}

func (t *table) add(row ...string) { t.rows = append(t.rows, row) }

// print writes the table as --output says: for people, or as a JSON list of
// objects.
func (t *table) print(cmd *cobra.Command) error {
	switch format := cmd.Flag("output").Value.String(); format {
	case "json":
		return t.printJSON(cmd)
	case "table":
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, strings.ToUpper(strings.Join(t.columns, "\t")))
		for _, row := range t.rows {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		return w.Flush()
	default:
		return fmt.Errorf("--output: want table or json, got %q", format)
	}
}

func (t *table) printJSON(cmd *cobra.Command) error {
	list := make([]map[string]string, len(t.rows))
	for i, row := range t.rows {
		list[i] = map[string]string{}
		for j, column := range t.columns {
			list[i][column] = row[j]
		}
	}
	return printJSON(cmd, list)
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func addOutput(cmd *cobra.Command) {
	cmd.Flags().String("output", "table", "table or json")
}
