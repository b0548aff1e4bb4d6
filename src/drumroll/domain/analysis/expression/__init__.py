"""The language of success and failure conditions: a subset of expr-lang, parsed and evaluated without side effects.

Source: expr-lang.org/docs/language-definition, and what argo-rollouts adds (asInt, asFloat, isNaN, isInf, isNil,
default). Start reading at `conditions.py`.
"""
