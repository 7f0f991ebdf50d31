"""Where Airflow 2.11 and Airflow 3 keep the same things."""

from __future__ import annotations

try:
    from airflow.sdk import BaseHook, BaseOperator
except ImportError:  # Airflow 2
    from airflow.hooks.base import BaseHook
    from airflow.models.baseoperator import BaseOperator

try:
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowException, AirflowSkipException

__all__ = ["AirflowException", "AirflowSkipException", "BaseHook", "BaseOperator"]
