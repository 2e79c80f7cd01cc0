"""A DAG that syncs one pipeline and then tells whoever waits for its tables.

The worker needs `sluice`, sluice.yaml and the environment that it names. `--queued` makes the run a job of the store that all
workers and nodes share (`service.store`): a task that Airflow starts twice, or again after a lost heartbeat, waits for the sync
that runs, and a worker that is killed leaves a job that the next try takes up. The exit code says what is wrong
(`sluice help exit-codes`): what may heal was tried again already, so Airflow need not.
"""

from datetime import datetime, timedelta

from airflow.datasets import Dataset
from airflow.decorators import dag
from airflow.operators.bash import BashOperator


@dag(schedule="15 * * * *", start_date=datetime(2024, 1, 1), catchup=False, max_active_runs=1)
def sluice_github():
    BashOperator(
        task_id="sync",
        bash_command="exec sluice run --queued --file /etc/sluice/sluice.yaml --state-dir /var/lib/sluice github",
        execution_timeout=timedelta(hours=6),
        retries=1,
        outlets=[Dataset("postgres://warehouse/raw_data")],
    )


sluice_github()
