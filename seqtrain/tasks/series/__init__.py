"""Forecasting time series."""
