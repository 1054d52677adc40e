"""A broadcast's numbers in the words, classes and rules of each profile (mission 1.6: X1-X10).

Pure: a store.report.Report goes in, figures come out. Every figure is a formula over others, and the formula shown is
the one that was computed.
"""
