package main

import "github.com/spf13/cobra"

// registerFormat adds --format to a command that prints text or JSON.
func registerFormat(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVar(format, "format", "text", "text or json")
}

func checkFormat(format string) error {
	if format != "text" && format != "json" {
		return usage("", "--format %q is none of text, json", format)
	}
	return nil
}
