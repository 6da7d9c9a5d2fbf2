package main

import (
	"encoding/json"
	"errors"
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
	if wantsJSON(cmd) {
		list := make([]map[string]string, len(t.rows))
		for i := range t.rows {
			list[i] = t.object(i)
		}
		return printJSON(cmd, list)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(t.columns, "\t")))
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// printOne writes a table of one row upright, a line a column, or as one JSON
// object.
func (t *table) printOne(cmd *cobra.Command) error {
	if wantsJSON(cmd) {
		return printJSON(cmd, t.object(0))
	}
	upright := table{columns: []string{"field", "value"}}
	for i, column := range t.columns {
		upright.add(strings.ReplaceAll(column, "_", " "), t.rows[0][i])
	}
	return upright.print(cmd)
}

// object is one row by column name.
func (t *table) object(row int) map[string]string {
	out := map[string]string{}
	for i, column := range t.columns {
		out[column] = t.rows[row][i]
	}
	return out
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// An outputFormat is the value of --output: other words are refused before the
// command begins.
type outputFormat string

const (
	outputTable outputFormat = "table"
	outputJSON  outputFormat = "json"
)

func (f *outputFormat) String() string { return string(*f) }
func (f *outputFormat) Type() string   { return "format" }

func (f *outputFormat) Set(s string) error {
	if s != string(outputTable) && s != string(outputJSON) {
		return errors.New("want table or json")
	}
	*f = outputFormat(s)
	return nil
}

func addOutput(cmd *cobra.Command) {
	format := outputTable
	cmd.Flags().Var(&format, "output", "table or json")
}

func wantsJSON(cmd *cobra.Command) bool {
	return cmd.Flag("output").Value.String() == string(outputJSON)
}
